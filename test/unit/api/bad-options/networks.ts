import { type BadOption, defineBadOptions } from '../bad-options.ts';

type Draft = Parameters<BadOption['spec']>[0];

const invalid = (title: string, spec: (draft: Draft) => void, path: string, message: RegExp): BadOption => ({
  ...{ title, spec, code: 'SPEC_INVALID', path, message },
});
const phase =
  (name: string, options: Record<string, unknown>) =>
  (draft: Draft): void => {
    draft.phases[name] = options;
  };
const mtu =
  (value: unknown) =>
  (draft: Draft): void => {
    draft['network'] = { ...(draft['network'] as object), mtu: value };
  };

/** Options of flannel's backends, of the MTU, and of a network that the user brings. */
export default defineBadOptions([
  invalid(
    'backend ipip',
    phase('flannel', { backend: 'ipip' }),
    'spec.phases.flannel.backend',
    /known: vxlan, host-gw, udp, wireguard/,
  ),
  invalid(
    'settings of wireguard with another backend',
    phase('flannel', { backend: 'host-gw', wireguard: {} }),
    'spec.phases.flannel.wireguard',
    /the backend is host-gw/,
  ),
  invalid(
    'port of wireguard',
    phase('flannel', { backend: 'wireguard', wireguard: { port: 0 } }),
    'spec.phases.flannel.wireguard.port',
    /at least 1$/,
  ),
  invalid(
    'keepalive of wireguard',
    phase('flannel', { backend: 'wireguard', wireguard: { keepaliveSeconds: 65_536 } }),
    'spec.phases.flannel.wireguard.keepaliveSeconds',
    /at most 65535/,
  ),
  invalid(
    'a pre-shared key that the user brings',
    phase('flannel', { backend: 'wireguard', wireguard: { presharedKey: 'abc' } }),
    'spec.phases.flannel.wireguard.presharedKey',
    /true or false/,
  ),
  invalid(
    'subnets from nowhere',
    phase('flannel', { subnetManager: 'consul' }),
    'spec.phases.flannel.subnetManager',
    /known: kubernetes, etcd/,
  ),
  invalid(
    'a prefix with a slash at its end',
    phase('flannel', { subnetManager: 'etcd', etcdPrefix: '/flannel/' }),
    'spec.phases.flannel.etcdPrefix',
    /without a slash at its end/,
  ),
  invalid(
    'a prefix without etcd',
    phase('flannel', { etcdPrefix: '/coreos.com/network' }),
    'spec.phases.flannel.etcdPrefix',
    /belongs to subnetManager: etcd/,
  ),
  invalid(
    'a prefix among the keys of the cluster',
    phase('flannel', { subnetManager: 'etcd', etcdPrefix: '/registry/flannel' }),
    'spec.phases.flannel.etcdPrefix',
    /one inside the other/,
  ),
  invalid(
    'a certificate for the own etcd',
    phase('flannel', { subnetManager: 'etcd', etcdCredential: { name: 'mine' } }),
    'spec.phases.flannel.etcdCredential',
    /is for an etcd of yours/,
  ),
  invalid(
    'a key of all nodes in etcd',
    phase('flannel', { subnetManager: 'etcd', backend: 'wireguard', wireguard: { presharedKey: true } }),
    'spec.phases.flannel.wireguard.presharedKey',
    /readable in etcd/,
  ),
  invalid('MTU below that of every IPv4 host', mtu(575), 'spec.network.mtu', /at least 576/),
  invalid('MTU above that of every packet', mtu(65_536), 'spec.network.mtu', /at most 65535/),
  invalid('MTU that is no number', mtu('jumbo'), 'spec.network.mtu', /number/),
  invalid(
    'wait for an external network',
    phase('external-network', { waitSeconds: 3601 }),
    'spec.phases.external-network.waitSeconds',
    /at most 3600/,
  ),
  invalid(
    'overhead of an external network',
    phase('external-network', { overhead: -1 }),
    'spec.phases.external-network.overhead',
    /at least 0/,
  ),
  invalid(
    'two pod networks',
    (draft) => {
      draft.phases['flannel'] = {};
      draft.phases['external-network'] = {};
    },
    'spec.phases.flannel',
    /each provide pod-network/,
  ),
]);
