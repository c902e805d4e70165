import { KubewrightError } from '../../../contracts/errors.ts';
import { CURL } from '../../host/direct.ts';
import type { RemoteHost } from '../../host/types.ts';
import { type Founding, registryProblem } from '../../kube/etcd-registry.ts';
import { readV2Answer, V2_WORDS, v2Registry } from '../../kube/etcd-v2.ts';

/**
 * The variables of a founder that uses a discovery URL. etcd refuses to register twice under one URL, so a host that registered and then
 * lost its data gets the list of all founders in its place; with the URL as token of the cluster, which etcd uses itself, that makes
 * the same members. null: the list. Throws DISCOVERY_TOKEN_USED, DISCOVERY_UNUSABLE.
 */
export async function enterByUrl(
  host: RemoteHost,
  { url, self, founding }: { url: string; self: { name: string; peerUrl: string }; founding: Founding },
): Promise<Record<string, string> | null> {
  const { stdout } = await host.script(`${CURL} ${V2_WORDS} -- "$1" 2>/dev/null || :`, [url], { timeoutMs: 30_000 });
  const answer = readV2Answer(stdout);
  if (!('node' in answer)) {
    throw new KubewrightError('DISCOVERY_UNUSABLE', `${host.name} cannot use the discovery URL ${url}`, {
      evidence: 'exit' in answer ? `curl ends with ${answer.exit}: ${answer.message}` : answer.strange,
    });
  }
  const registry = v2Registry(null, answer.node, founding.claim);
  const problem = registryProblem(registry, founding);
  if (problem) throw new KubewrightError(problem.code, problem.message, { evidence: problem.evidence });
  return registry.members.includes(`${self.name}=${self.peerUrl}`) ? null : { ETCD_DISCOVERY: url };
}
