import { cutLink, healPartition, powerOff, powerOn, restoreLink, silenceLink } from '../../../../lab/faults.ts';
import { GOALS, type HaCase, holderOf, lasts } from '../case.ts';
import { CLIENT_HOST } from '../providers.ts';

const PROXY_UNIT = 'kubewright-node-local';

/** The balancer whose host has the address is lost in every way. */
export const balancerCases: HaCase[] = [
  {
    name: 'balancer-killed',
    title: 'Balancer process killed',
    goalMs: GOALS.processKilled,
    providers: ['load-balancer'],
    async run({ cluster, oneHolderFrom }) {
      oneHolderFrom();
      await cluster.on(await holderOf(cluster), 'systemctl', 'kill', '--signal=KILL', 'haproxy');
      await lasts();
    },
  },
  {
    name: 'proxy-killed',
    title: "Proxy of the client's node killed",
    goalMs: GOALS.processKilled,
    providers: ['node-local'],
    async run({ cluster }) {
      await cluster.on(CLIENT_HOST, 'systemctl', 'kill', '--signal=KILL', PROXY_UNIT);
      await lasts();
    },
  },
  {
    name: 'balancer-stopped',
    title: 'Balancer stopped',
    goalMs: GOALS.balancerLost,
    providers: ['load-balancer'],
    async run({ cluster, oneHolderFrom }) {
      const holder = await holderOf(cluster);
      oneHolderFrom();
      await cluster.on(holder, 'systemctl', 'stop', 'haproxy');
      await lasts();
      oneHolderFrom();
      await cluster.on(holder, 'systemctl', 'start', 'haproxy');
    },
  },
  {
    name: 'balancer-off',
    title: 'Host of the balancer powered off, and on',
    goalMs: GOALS.balancerLost,
    providers: ['load-balancer'],
    async run({ cluster, oneHolderFrom }) {
      const holder = await holderOf(cluster);
      oneHolderFrom();
      await powerOff(cluster.lab, cluster.machineOf(holder));
      await lasts();
      oneHolderFrom();
      await powerOn(cluster.lab, cluster.machineOf(holder));
    },
  },
  {
    name: 'balancer-cut',
    title: 'Link of the balancer cut, and back',
    goalMs: GOALS.balancerLost,
    providers: ['load-balancer'],
    async run({ cluster, oneHolderFrom }) {
      const machine = cluster.machineOf(await holderOf(cluster));
      await cutLink(cluster.lab, machine);
      await lasts();
      oneHolderFrom();
      await restoreLink(cluster.lab, machine);
    },
  },
  {
    name: 'balancer-silent',
    title: 'Packets of the balancer lost, and back',
    goalMs: GOALS.balancerLost,
    providers: ['load-balancer'],
    async run({ cluster, oneHolderFrom }) {
      await silenceLink(cluster.lab, cluster.machineOf(await holderOf(cluster)));
      await lasts();
      // It does not see that it is alone, and has the address as well: here two holders meet.
      oneHolderFrom();
      await healPartition(cluster.lab);
    },
  },
  {
    name: 'reload',
    title: 'All balancers reloaded',
    goalMs: GOALS.planned,
    providers: ['load-balancer', 'node-local'],
    async run({ cluster, oneHolderFrom }) {
      const balancers = cluster.hosts('load-balancer');
      const all = [
        ...balancers.map((host) => ({ host, unit: 'haproxy' })),
        ...(balancers.length > 0 ? [] : [...cluster.hosts('control-plane'), ...cluster.hosts('worker')]).map(
          (host) => ({ host, unit: PROXY_UNIT }),
        ),
      ];
      oneHolderFrom();
      await Promise.all(all.map(({ host, unit }) => cluster.on(host, 'systemctl', 'reload', unit)));
    },
  },
];
