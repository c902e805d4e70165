import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { nodeCidrBits } from '../../kube/network.ts';
import type { Pki } from '../../pki/types.ts';
import { secretText, type Text } from '../../resources/resource.ts';
import { type BackendSettings, backendFacts, FLANNEL_WIREGUARD_PORT } from './backends.ts';
import { flannelNetConf } from './config.ts';
import { etcdSubnetsOf, type FlannelOptions } from './options.ts';

/** Name of the secret with which the backend wireguard encrypts beside the keys of the nodes. */
const PRESHARED_KEY = 'flannel-wireguard';
/** Bytes of a key of WireGuard. */
const KEY_BYTES = 32;

export const wireguardPort = ({ wireguard }: Pick<FlannelOptions, 'wireguard'>): number =>
  wireguard?.port ?? FLANNEL_WIREGUARD_PORT;

async function settingsOf(options: FlannelOptions, pki: Pki): Promise<BackendSettings> {
  const { vxlanPort, backend, wireguard } = options;
  const isShared = backend === 'wireguard' && wireguard?.presharedKey;
  return {
    vxlanPort,
    wireguardPort: wireguardPort(options),
    keepaliveSeconds: wireguard?.keepaliveSeconds ?? 0,
    presharedKey: isShared ? (await pki.randomSecret(PRESHARED_KEY, KEY_BYTES)).value : null,
  };
}

/** What both ends of a tunnel, or of a route, have to have alike: flanneld ignores nodes with another backend. */
export const tunnelOf = (options: FlannelOptions): string =>
  JSON.stringify([
    options.backend,
    backendFacts(options.backend).port?.({ ...options, wireguardPort: wireguardPort(options) }) ?? null,
    options.wireguard?.presharedKey ?? false,
  ]);

/** The network configuration of flanneld: a file, or a key in etcd. It is secret where it has a key of WireGuard in it. */
export async function networkConfig(cluster: ClusterSpec, options: FlannelOptions, pki: Pki): Promise<Text> {
  const settings = await settingsOf(options, pki);
  // From Kubernetes each node has a range of its own already.
  const subnetBits = etcdSubnetsOf(options) ? nodeCidrBits(cluster) : null;
  const text = flannelNetConf(cluster.spec.network.podCidr, { backend: options.backend, settings, subnetBits });
  return settings.presharedKey === null ? text : secretText(text);
}
