import { execInHost, inNetworkOf } from '../../../lab/faults.ts';
import type { Lab } from '../../../lab/lab.ts';
import type { LabRoles } from '../../../lab/roles.ts';
import type { ClusterSpecInput } from '../../../lab/types.ts';
import type { HaCluster } from './cluster.ts';
import type { KubeAccess } from './kube-client.ts';

/** Ways to the API servers that the bench measures, by the provider of `control-plane-endpoint`. */
export const PROVIDERS = ['load-balancer', 'external', 'node-local'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

interface Provider {
  hosts: LabRoles;
  /** `spec.controlPlane.endpoint`. */
  endpoint(lab: Lab): object;
  /** What stands outside of the cluster, before it is built. */
  prepare(lab: Lab): Promise<void>;
  /** How the client reaches the endpoint, and the command it has to be run with. */
  client(cluster: HaCluster): Promise<{ access: KubeAccess; within?: string[] }>;
}

const nothing = async (): Promise<void> => undefined;
const outside = async (cluster: HaCluster) => ({ access: await cluster.access() });
/** The host that the client of a cluster without an endpoint outside runs on. */
export const CLIENT_HOST = 'worker-2';
/** The machine that takes the place of a control plane. */
export const SPARE = 'spare-1';
/** The machine with the user's own balancer. */
const BALANCER = 'spare-2';

export const providers: Record<ProviderName, Provider> = {
  'load-balancer': {
    hosts: { 'control-plane': 3, 'load-balancer': 2, worker: 2, spare: 1 },
    endpoint: ({ virtualAddress }) => ({ host: virtualAddress }),
    prepare: nothing,
    client: outside,
  },
  external: {
    hosts: { 'control-plane': 3, worker: 2, spare: 2 },
    endpoint: ({ hosts }) => ({ provider: 'external', host: addressOf(hosts, BALANCER), port: 6443 }),
    prepare: ownBalancer,
    client: outside,
  },
  'node-local': {
    hosts: { 'control-plane': 3, worker: 2, spare: 1 },
    endpoint: () => ({ provider: 'node-local' }),
    prepare: nothing,
    async client(cluster) {
      // The proxy of a worker, where its kubelet finds it: nothing outside of the hosts has an endpoint.
      const kubeconfig = await cluster.on(CLIENT_HOST, 'cat', '/etc/kubernetes/kubelet.kubeconfig');
      const server = /server: *"?(https:[^"\s]+)/.exec(kubeconfig)?.[1];
      if (server === undefined) throw new Error(`the kubeconfig of ${CLIENT_HOST} names no server`);
      const within = await inNetworkOf(cluster.lab, CLIENT_HOST);
      return { access: { ...(await cluster.access()), server }, within };
    },
  },
};

/**
 * The lab's spec with this way to the API servers. What there is only one of is a worker's, so that any control plane can
 * be lost, and control planes run no pods of users.
 */
export function specFor(name: ProviderName, lab: Lab): ClusterSpecInput {
  const { spec, ...rest } = lab.spec;
  const single = ['registry', 'time-server'];
  const hosts = spec.hosts.map((host) => {
    const roles = (host['roles'] as string[]).filter((role) => !single.includes(role));
    if (roles.includes('control-plane')) return { ...host, roles: roles.filter((role) => role !== 'worker') };
    return { ...host, roles: host['name'] === 'worker-1' ? [...roles, ...single] : roles };
  });
  return { ...rest, spec: { ...spec, hosts, controlPlane: { endpoint: providers[name].endpoint(lab) } } };
}

const addressOf = (hosts: Lab['hosts'], machine: string): string => hosts.find(({ name }) => name === machine)!.address;

/** A haproxy as a user would run one: health checks every half second, two failures take a server out. */
async function ownBalancer(lab: Lab): Promise<void> {
  // The machine that will replace a control plane is there from the beginning, as a user adds it before the change.
  const servers = lab.hosts.filter(({ name }) => name.startsWith('cp-') || name === SPARE);
  const config = `global
  maxconn 4000
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  retries 3
  option redispatch 1
listen kube-apiserver
  bind *:6443
  option httpchk GET /readyz
  http-check expect rstatus (200|401)
  default-server check check-ssl verify none inter 500ms fastinter 250ms fall 2 rise 2 on-marked-down shutdown-sessions
${servers.map(({ name, address }) => `  server ${name} ${address}:6443`).join('\n')}
`;
  const install = `set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q update >/dev/null
apt-get -q install --yes --no-install-recommends haproxy >/dev/null
cat >/etc/haproxy/haproxy.cfg
haproxy -c -q -f /etc/haproxy/haproxy.cfg
systemctl restart haproxy`;
  const options = { input: config, timeoutMs: 180_000 };
  const { code, stdout, stderr } = await execInHost(lab, BALANCER, ['bash', '-c', install], options);
  if (code !== 0) throw new Error(`haproxy on ${BALANCER}: ${stdout}${stderr}`);
}
