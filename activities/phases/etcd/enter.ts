import { registryClaim } from '../../kube/etcd-registry.ts';
import type { PhaseContext } from '../phase.ts';
import { type Bootstrap, bootstrapCertificate, etcdPeer } from './bootstrap.ts';
import { enterDiscovery } from './discovery.ts';
import { byEndpoints } from './discovery-option.ts';
import { enterByUrl } from './discovery-url.ts';
import type { EtcdMemberResource } from './member-resource.ts';

/** Enters discovery, for a host that becomes a founder; undefined: there is none. Opens the client certificate only then. */
export async function enterOf(
  context: Pick<PhaseContext<unknown>, 'cluster' | 'host' | 'peers' | 'pki' | 'clientCertificate'>,
  bootstrap: Bootstrap,
): Promise<EtcdMemberResource['enter']> {
  if (bootstrap?.mode !== 'discovery') return undefined;
  const { cluster, host, peers, pki, clientCertificate } = context;
  const { url } = bootstrap;
  const founders = peers.map((each) => etcdPeer(each, bootstrap));
  const founding = { claim: registryClaim(cluster.metadata.name, await pki.ca('etcd')), founders };
  if (url !== undefined) {
    const self = etcdPeer(host, bootstrap);
    return (remote) => enterByUrl(remote, { url, self, founding: { ...founding, token: url } });
  }
  if (!byEndpoints(bootstrap)) return undefined;
  const use = bootstrapCertificate(bootstrap);
  const certificate = async () => (use ? clientCertificate(use) : null);
  const { token } = bootstrap;
  return (remote) => enterDiscovery(remote, { discovery: bootstrap, founding: { ...founding, token }, certificate });
}
