import type { ErrorCode } from '../../../../contracts/errors.ts';
import { CURL } from '../../../host/direct.ts';
import { registryClaim, registryProblem } from '../../../kube/etcd-registry.ts';
import { readV2Answer, V2_WORDS, v2Registry } from '../../../kube/etcd-v2.ts';
import type { RequiredDiscovery } from '../../requires.ts';
import { type CheckHost, defineCheck, type Problem } from '../check.ts';

type Code = Extract<ErrorCode, 'DISCOVERY_TOKEN_USED' | 'DISCOVERY_UNUSABLE'>;

const wantedOf = ({ requirements }: CheckHost): (RequiredDiscovery & { url: string }) | undefined =>
  requirements.flatMap(({ discovery }) => (discovery?.url ? { ...discovery, url: discovery.url } : []))[0];

/** Digits in a line of the answer: below MAX_WORD of the probe. */
const CHUNK = 4000;

export default defineCheck({
  name: 'discovery-url',
  about: 'network',
  title: 'Discovery URL',
  inspects:
    'On etcd hosts without data, while no etcd of the cluster has formed, with `bootstrap: {mode: discovery, url}`: the URL answers with the API of etcd 2 (curl), has the number of etcd hosts as its size, and no other cluster has used it.',
  codes: ['DISCOVERY_UNUSABLE', 'DISCOVERY_TOKEN_USED'],
  probe: {
    script: `
command -v curl >/dev/null || return 0
[ ! -e "$1" ] || return 0
get() {
  ${CURL} ${V2_WORDS} -- "$2" 2>/dev/null | od -An -v -tx1 | tr -d ' \\n' | fold -w ${CHUNK} |
    while IFS= read -r part || [ -n "$part" ]; do say "$1" "$part"; done
}
get size "$2/_config/size" &
get members "$2" &
wait`,
    args(of) {
      const wanted = wantedOf(of);
      return wanted ? [wanted.unless, wanted.url] : null;
    },
  },
  evaluate(of, rows) {
    const wanted = wantedOf(of);
    if (!wanted || rows.length === 0) return [];
    const { url, founders } = wanted;
    const answer = (kind: string) =>
      readV2Answer(
        Buffer.from(rows.flatMap(([word, part = '']) => (word === kind ? part : '')).join(''), 'hex').toString('utf8'),
      );
    const problem = (message: string, evidence: string): Problem<Code>[] => [
      { code: 'DISCOVERY_UNUSABLE', message: `the discovery URL ${url} ${message}`, evidence },
    ];
    const [size, members] = [answer('size'), answer('members')];
    for (const each of [size, members]) {
      if ('exit' in each) return problem('cannot be asked', `curl ends with ${each.exit}: ${each.message}`);
      if ('strange' in each) return problem('does not answer with the API of etcd 2', each.strange);
    }
    if (!('node' in size) || !('node' in members)) return [];
    if (size.node === null) return problem('has no size', `GET ${url}/_config/size: key not found`);
    // The API has no place for a claim: only a cluster that has an authority can have registered before.
    const claim = of.etcdAuthority ? registryClaim(of.cluster.metadata.name, of.etcdAuthority) : null;
    const found = registryProblem(v2Registry(size.node, members.node, claim), { token: url, claim, founders });
    return found ? [found] : [];
  },
});
