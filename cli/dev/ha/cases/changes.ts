import { powerOff } from '../../../../lab/faults.ts';
import { GOALS, type HaCase } from '../case.ts';
import type { HaCluster } from '../cluster.ts';
import { PROVIDERS, SPARE } from '../providers.ts';

/** What is planned: changes of options, and another machine for a control plane. */
export const changeCases: HaCase[] = [
  {
    name: 'etcd-option',
    title: 'Rolling change of an etcd option',
    goalMs: GOALS.planned,
    providers: PROVIDERS,
    async run({ cluster }) {
      const { tasks } = await cluster.build({ etcd: { quotaBytes: 3 * 1024 ** 3 } });
      mustHaveChanged(tasks, 'etcd', cluster.hosts('etcd'));
    },
  },
  {
    name: 'api-server-option',
    title: 'Rolling change of an API-server option',
    goalMs: GOALS.planned,
    providers: PROVIDERS,
    async run({ cluster }) {
      const { tasks } = await cluster.build({
        master: { apiServer: { extraArgs: { 'max-requests-inflight': '500' } } },
      });
      mustHaveChanged(tasks, 'master', cluster.hosts('control-plane'));
    },
  },
  {
    name: 'replacement',
    title: 'Control plane replaced by another machine',
    goalMs: GOALS.planned,
    providers: PROVIDERS,
    async before(cluster) {
      // Its loss is a case of its own. Two machines with the name of one node would write over each other's network.
      const host = lastControlPlane(cluster);
      await powerOff(cluster.lab, cluster.machineOf(host));
      await cluster.quarantine(host);
    },
    run: ({ cluster }) => cluster.replace(lastControlPlane(cluster), SPARE),
  },
];

const lastControlPlane = (cluster: HaCluster): string => cluster.hosts('control-plane').at(-1)!;

/** A change that restarts nothing would measure nothing. */
function mustHaveChanged(
  tasks: readonly { phase: string; host: string; changeCount?: number | undefined }[],
  phase: string,
  hosts: readonly string[],
): void {
  const changed = tasks.filter((task) => task.phase === phase && (task.changeCount ?? 0) > 0).map(({ host }) => host);
  const rest = hosts.filter((host) => !changed.includes(host));
  if (rest.length > 0) throw new Error(`the build did not change ${phase} on ${rest.join(', ')}`);
}
