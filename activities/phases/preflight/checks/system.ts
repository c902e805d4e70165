import { z } from 'zod';
import { judgeSystem, SUPPORTED_SYSTEMS } from '../../../host/family/systems.ts';
import { OWNERSHIP_MARKER } from '../../../host/ownership-marker.ts';
import { defineCheck, type Problem } from '../check.ts';

type Code = 'OS_UNSUPPORTED' | 'OS_UNTESTED';

export default defineCheck({
  name: 'system',
  about: 'system',
  title: 'Distribution, architecture, systemd',
  inspects:
    '/etc/os-release, the package manager of the family, `uname -m` and the name of process 1, on every host; the architectures for which programs of the phases exist.',
  codes: ['OS_UNSUPPORTED', 'OS_UNTESTED'],
  options: {
    allowUnsupportedOs: z
      .boolean()
      .default(false)
      .describe('Allow a distribution that is not supported, or a version of one that is not tested'),
  },
  probe: {
    script: '[ ! -e "$1" ] || say built',
    args: () => [OWNERSHIP_MARKER],
  },
  evaluate({ facts, options, requirements }, rows) {
    const problem = (message: string, evidence: string, code: Code = 'OS_UNSUPPORTED'): Problem<Code> => ({
      code,
      message,
      evidence,
    });
    const { os } = facts;
    const problems: Problem<Code>[] = [];
    const { verdict, reason } = judgeSystem(facts);
    // A host of the cluster that was upgraded keeps its place: only new ones are refused.
    const isBuilt = rows.some(([word]) => word === 'built');
    if (!options.allowUnsupportedOs && (verdict === 'unsupported' || (verdict === 'untested' && !isBuilt))) {
      const evidence = `/etc/os-release: ID=${os.id} VERSION_ID=${os.versionId} ID_LIKE=${os.idLike.join(' ')}; supported: ${SUPPORTED_SYSTEMS.join('; ')}`;
      const code = verdict === 'unsupported' ? 'OS_UNSUPPORTED' : 'OS_UNTESTED';
      problems.push(problem(`${os.name || os.id || 'this system'} ${reason}`, evidence, code));
    }
    if (facts.arch !== 'amd64' && facts.arch !== 'arm64') {
      problems.push(problem(`the architecture ${facts.arch} is not supported`, `uname -m: ${facts.arch}`));
    }
    for (const { machines } of requirements) {
      if (!machines || machines.only.some((arch) => arch === facts.arch)) continue;
      const which = machines.only.join(' and ');
      problems.push(problem(`${machines.what} exists for ${which} only`, `uname -m: ${facts.arch}`));
    }
    if (facts.initSystem !== 'systemd') {
      problems.push(problem('the host does not run systemd', `process 1: ${facts.initSystem}`));
    }
    return problems;
  },
});
