import { cutLink, powerOff, powerOn, restoreLink } from '../../../../lab/faults.ts';
import { GOALS, type HaCase, lasts } from '../case.ts';
import { PROVIDERS } from '../providers.ts';

/** API servers and members of etcd are lost: the API server is the one that the kept connection of the client leads to. */
export const controlPlaneCases: HaCase[] = [
  {
    name: 'api-server-killed',
    title: 'API server killed',
    goalMs: GOALS.processKilled,
    providers: PROVIDERS,
    async run({ cluster, client }) {
      const host = await cluster.apiServerWith(client.server);
      await cluster.on(host, 'systemctl', 'kill', '--signal=KILL', 'kube-apiserver');
      await lasts();
      await cluster.apiServerReady(host);
    },
  },
  {
    name: 'control-plane-off',
    title: 'Host of a control plane powered off, and on',
    goalMs: GOALS.controlPlaneLost,
    providers: PROVIDERS,
    async run({ cluster, client }) {
      const host = await cluster.apiServerWith(client.server);
      await powerOff(cluster.lab, cluster.machineOf(host));
      await lasts();
      await powerOn(cluster.lab, cluster.machineOf(host));
      await cluster.apiServerReady(host);
    },
  },
  {
    name: 'etcd-leader-killed',
    title: 'etcd leader killed',
    goalMs: GOALS.processKilled,
    providers: PROVIDERS,
    async run({ cluster }) {
      await cluster.on(await cluster.etcdLeader(), 'systemctl', 'kill', '--signal=KILL', 'etcd');
      await lasts();
    },
  },
  {
    name: 'etcd-leader-cut',
    title: 'Link of the etcd leader cut, and back',
    goalMs: GOALS.controlPlaneLost,
    providers: PROVIDERS,
    async run({ cluster }) {
      const leader = await cluster.etcdLeader();
      await cutLink(cluster.lab, cluster.machineOf(leader));
      await lasts();
      await restoreLink(cluster.lab, cluster.machineOf(leader));
      await cluster.apiServerReady(leader);
    },
  },
];
