import { CONTROLLER_HOST } from '../../contracts/messages.ts';
import type { Need, Plan, PlanWindow } from '../../contracts/plan.ts';

/** Name of a need on the rest of the plan, as operation and batch call it. */
export const gateOf = ({ phase, on }: Need): string => `${phase}/${on}`;

/** A part of a plan that a batch runs: some hosts with all their tasks. */
export interface Slice {
  hosts: string[];
  plan: Plan;
}

/**
 * The slices of a plan that batches run; empty when the operation runs all of it. Hosts of the rarest kind (control
 * planes, etcd, registry) stay with the operation as far as there is room, the many alike ones go in slices. A host is
 * never divided, so what waits for its own host finds it in the same workflow. Part of replay, as expand() is.
 */
export function slicesOf(plan: Plan): Slice[] {
  const tasks = plan.phases.reduce((sum, phase) => sum + phase.hosts.length, 0);
  if (tasks <= plan.tasksPerWorkflow) return [];
  const slices: Slice[] = [];
  let hosts: string[] = [];
  let size = 0;
  for (const { host, phases } of batchedHosts(plan)) {
    if (hosts.length > 0 && size + phases.length > plan.tasksPerWorkflow) {
      slices.push({ hosts, plan: sliceOf(plan, hosts) });
      hosts = [];
      size = 0;
    }
    hosts.push(host);
    size += phases.length;
  }
  if (hosts.length > 0) slices.push({ hosts, plan: sliceOf(plan, hosts) });
  return slices;
}

/** A host with the names of its phases. */
interface HostPhases {
  host: string;
  phases: string[];
}

/** Hosts that do not stay with the operation, in the order of the plan. */
function batchedHosts(plan: Plan): HostPhases[] {
  const byHost = new Map<string, string[]>();
  for (const { name, hosts } of plan.phases) {
    for (const host of hosts) byHost.set(host, [...(byHost.get(host) ?? []), name]);
  }
  // A rollout in steps counts the tasks of the whole plan: one workflow has to see them all.
  const stepped = new Set(
    plan.phases.filter((phase) => phase.maxParallel < phase.hosts.length).map(({ name }) => name),
  );
  // So does a window for one host at a time.
  const single = new Set(
    (plan.windows ?? []).flatMap(({ atMost, hosts, joining = [] }) => [...(atMost === 1 ? hosts : []), ...joining]),
  );
  const kinds = new Map<string, HostPhases[]>();
  for (const [host, phases] of byHost) {
    const stays = host === CONTROLLER_HOST || single.has(host) || phases.some((phase) => stepped.has(phase));
    const kind = stays ? '' : phases.join(' ');
    kinds.set(kind, [...(kinds.get(kind) ?? []), { host, phases }]);
  }
  const taskCount = (members: readonly HostPhases[]) => members.reduce((sum, { phases }) => sum + phases.length, 0);
  let room = plan.tasksPerWorkflow - taskCount(kinds.get('') ?? []);
  kinds.delete('');
  const batched = new Set<string>();
  const rarestFirst = [...kinds].sort(([a, some], [b, others]) => some.length - others.length || (a < b ? -1 : 1));
  for (const [, members] of rarestFirst) {
    const count = taskCount(members);
    if (batched.size === 0 && count <= room) room -= count;
    else for (const { host } of members) batched.add(host);
  }
  return [...byHost].filter(([host]) => batched.has(host)).map(([host, phases]) => ({ host, phases }));
}

/** The plan of some hosts. What they need of others becomes a gate; needs on phases without hosts are dropped. */
function sliceOf(plan: Plan, hosts: readonly string[]): Plan {
  const own = new Set(hosts);
  const byName = new Map(plan.phases.map((phase) => [phase.name, phase]));
  const needs = (all: readonly Need[]): Need[] =>
    all.flatMap((need) => {
      const target = byName.get(need.phase);
      if (!target) return [];
      if (need.on !== 'same-host') return [need];
      // A phase of the worker process belongs to no slice: all wait for its one task.
      return [target.hosts.includes(CONTROLLER_HOST) ? { phase: need.phase, on: 'every-host' as const } : need];
    });
  return {
    ...plan,
    ...(plan.windows ? { windows: windowsOf(plan.windows, own) } : {}),
    phases: plan.phases
      .map((phase) => {
        // Only the operation sees whether another host can take a task over.
        const { standIns: _standIns, ...rest } = phase;
        return { ...rest, hosts: phase.hosts.filter((host) => own.has(host)), needs: needs(phase.needs) };
      })
      .filter((phase) => phase.hosts.length > 0),
  };
}

/** Windows over the hosts of a slice: each slice has its share of the hosts that may be changed at once, one at least. */
function windowsOf(windows: readonly PlanWindow[], own: ReadonlySet<string>): PlanWindow[] {
  return windows.map((window) => {
    const hosts = window.hosts.filter((host) => own.has(host));
    return { ...window, hosts, atMost: Math.max(1, Math.floor((window.atMost * hosts.length) / window.hosts.length)) };
  });
}

/** The gates of a slice: needs that the slice itself cannot judge, each once. */
export function gatesOf(slice: Plan): Need[] {
  const gates = new Map<string, Need>();
  const windows = (slice.windows ?? []).map(({ after = [] }) => after);
  for (const needs of [...slice.phases.map((phase) => phase.needs), ...windows]) {
    for (const need of needs) if (need.on !== 'same-host') gates.set(gateOf(need), need);
  }
  return [...gates.values()];
}
