import { z } from 'zod';
import { judgeSystem, SUPPORTED_SYSTEMS } from '../../../host/family/systems.ts';
import { defineCheck, type Problem } from '../check.ts';

export default defineCheck({
  name: 'system',
  about: 'system',
  title: 'Distribution, architecture, systemd',
  inspects:
    '/etc/os-release, the package manager of the family, `uname -m` and the name of process 1, on every host; the architectures for which programs of the phases exist.',
  codes: ['OS_UNSUPPORTED'],
  options: {
    allowUnsupportedOs: z.boolean().default(false).describe('Allow a distribution that is not tested'),
  },
  evaluate({ facts, options, requirements }) {
    const problem = (message: string, evidence: string): Problem<'OS_UNSUPPORTED'> => ({
      code: 'OS_UNSUPPORTED',
      message,
      evidence,
    });
    const { os } = facts;
    const problems: Problem<'OS_UNSUPPORTED'>[] = [];
    const { verdict, reason } = judgeSystem(facts);
    if (!options.allowUnsupportedOs && verdict === 'unsupported') {
      const evidence = `/etc/os-release: ID=${os.id} VERSION_ID=${os.versionId} ID_LIKE=${os.idLike.join(' ')}; supported: ${SUPPORTED_SYSTEMS.join('; ')}`;
      problems.push(problem(`${os.name || os.id || 'this system'} ${reason}`, evidence));
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
