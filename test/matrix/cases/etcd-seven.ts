import { defineMatrixCase } from '../kit/case.ts';
import { until } from '../kit/kit.ts';

/** The address of the lab's network that no host has (`lab/subnet.ts`). */
const virtualAddress = (address: string): string => address.replace(/\d+$/, '9');
const members = (output: string): number => output.trim().split('\n').length;

export default defineMatrixCase({
  title: '7 etcd members on hosts of their own, and 2 balancers that advertise by multicast',
  hosts: { 'control-plane': 1, 'load-balancer': 2, etcd: 7, worker: 1 },
  spec: (draft) => {
    draft.controlPlane = { endpoint: { host: virtualAddress(draft.hosts[0]!.address) } };
    // The node that leaves must have no role that a cluster has once.
    for (const host of draft.hosts) {
      const once = ['registry', 'time-server'];
      host.roles = host.roles.filter((role) => !once.includes(role));
      if (host.name === 'cp-1') host.roles.push(...once);
    }
    draft.phases['load-balancer'] = { keepalived: { mode: 'multicast' } };
  },
  change: (draft) => {
    draft.phases['etcd'] = { electionMs: 1_500 };
  },
  removes: 'worker-1',
  checks: [
    {
      title: 'etcd has seven voting members',
      run: async (kit) => {
        const etcdctl =
          'ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/server.crt --key /etc/etcd/pki/server.key member list';
        const said = await kit.onHost('etcd-1', etcdctl);
        if (members(said) !== 7 || /true$/m.test(said)) throw new Error(`member list: ${said}`);
      },
    },
    {
      title: 'the virtual address is on one balancer, and moves when keepalived stops there',
      run: async (kit) => {
        const address = virtualAddress(kit.cluster.spec.hosts[0]!.address);
        const balancers = ['lb-1', 'lb-2'];
        const holders = async (): Promise<string[]> => {
          const said = await Promise.all(
            balancers.map(async (name) => ({
              name,
              held: await kit.onHost(name, `ip -4 -o address show to ${address}`),
            })),
          );
          return said.flatMap(({ name, held }) => (held.trim() === '' ? [] : [name]));
        };
        const [first, ...more] = await holders();
        if (first === undefined || more.length > 0) throw new Error(`${address} is on ${[first, ...more].join(', ')}`);
        await kit.onHost(first, 'systemctl stop keepalived');
        const other = balancers.find((name) => name !== first)!;
        await until(`${address} moves to ${other}`, 60_000, async () => {
          const now = (await holders()).join();
          return now === other ? null : `it is on ${now || 'none'}`;
        });
        await kit.kubectl(['get', '--raw', '/readyz']);
        await kit.onHost(first, 'systemctl start keepalived');
      },
    },
  ],
});
