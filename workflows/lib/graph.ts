import { CONTROLLER_HOST } from '../../contracts/messages.ts';
import type { Turn } from '../../contracts/operation.ts';
import type { Need, Plan, PlanPhase } from '../../contracts/plan.ts';
import { majority } from '../../contracts/quorum.ts';
import { expand, type GraphTask, taskKey } from './expand.ts';
import { Windows, type WindowView } from './windows.ts';

/**
 * What the graph knows of a task. `held`: blocked, failed or cancelled; it neither runs nor counts as done. `skipped`: its
 * host is excluded; no task waits for it.
 */
type NodeState = 'pending' | 'running' | 'done' | 'held' | 'skipped';

/** What a graph may not judge alone. */
export interface GraphScope {
  /** Hosts whose tasks another workflow runs: they are never taken. */
  away?: ReadonlySet<string> | undefined;
  /** Judges needs that span hosts, where the plan does not hold all of them. */
  gate?: ((need: Need) => boolean) | undefined;
}

interface PhaseCounts {
  phase: PlanPhase;
  hosts: ReadonlySet<string>;
  running: number;
  done: number;
  skipped: number;
}

/**
 * The task graph of a plan with its present state. Pure bookkeeping: no clock, no Temporal. A task may start as soon as
 * what it truly needs is done; phases are no barriers.
 */
export class TaskGraph {
  /** In the fixed order. */
  readonly tasks: GraphTask[];
  private readonly plan: Plan;
  private readonly byKey: Map<string, GraphTask>;
  private readonly states: Map<string, NodeState>;
  private readonly phases: Map<string, PhaseCounts>;
  /** Tasks that wait to be taken. */
  private readonly pending: Set<string>;
  private readonly scope: GraphScope;
  /** Tasks that are this graph's own wherever their host is. */
  private readonly added = new Set<string>();
  private readonly windows: Windows;
  private readonly view: WindowView = {
    over: (phase, host) => {
      const state = this.states.get(taskKey(phase, host));
      return state === undefined || state === 'done' || state === 'skipped';
    },
    running: (phase, host) => this.is(taskKey(phase, host), 'running'),
    held: (phase, host) => this.is(taskKey(phase, host), 'held'),
    met: (need) => this.met(need),
  };
  private inFlight = 0;

  constructor(plan: Plan, scope: GraphScope = {}) {
    this.plan = plan;
    this.scope = scope;
    this.tasks = expand(plan);
    this.windows = new Windows(plan);
    this.byKey = new Map(this.tasks.map((task) => [task.key, task]));
    this.states = new Map(this.tasks.map((task) => [task.key, 'pending']));
    this.phases = new Map(
      plan.phases.map((phase) => [phase.name, { phase, hosts: new Set(phase.hosts), running: 0, done: 0, skipped: 0 }]),
    );
    this.pending = new Set(this.tasks.filter((task) => !this.isAway(task)).map((task) => task.key));
  }

  /** Tasks in flight. */
  get running(): number {
    return this.inFlight;
  }

  /** True when every task is done, or skipped. */
  get finished(): boolean {
    const over = ({ key }: GraphTask) => this.is(key, 'done') || this.is(key, 'skipped');
    return this.pending.size === 0 && this.inFlight === 0 && this.tasks.every(over);
  }

  is(key: string, state: NodeState): boolean {
    return this.states.get(key) === state;
  }

  /** Tasks that could start now were there no limits. */
  get ready(): number {
    let count = 0;
    for (const key of this.pending) if (this.needsMet(this.byKey.get(key)!)) count += 1;
    return count;
  }

  /**
   * Take every task that may start now, in the fixed order, within the limit of each phase, of the plan's windows and of
   * tasks in flight. The taken ones count as running from here on.
   */
  next(limit: number = this.plan.maxParallel): GraphTask[] {
    const taken: GraphTask[] = [];
    for (const key of this.ordered()) {
      if (this.inFlight >= limit) break;
      const task = this.byKey.get(key)!;
      const counts = this.phases.get(task.phase)!;
      if (counts.running >= counts.phase.maxParallel || !this.needsMet(task)) continue;
      if (!this.windows.admits(task, this.view)) continue;
      this.begin(task);
      taken.push(task);
    }
    return taken.length === 0 && this.inFlight === 0 && limit > 0 ? this.nextStuck() : taken;
  }

  /** The task has only to look whether there is something to change. */
  probes(key: string): boolean {
    return this.windows.probes(this.byKey.get(key)!);
  }

  /** A running task of a window, which changes something, may leave its place to other hosts. */
  mayYield(key: string): boolean {
    return this.windows.mayYield(this.byKey.get(key)!, this.view);
  }

  /** Hosts of the task's windows for one host at a time. */
  servedWith(key: string): string[] {
    return this.windows.servedWith(this.byKey.get(key)!);
  }

  /** The task belongs to a window. */
  isInWindow(key: string): boolean {
    return this.windows.covers(this.byKey.get(key)!);
  }

  /** A running task found something to change and did nothing: it starts again when it is its host's turn in the window. */
  awaitWindow(key: string, turn?: Turn): void {
    this.windows.queue(this.byKey.get(key)!, this.view, turn);
    this.move(key, 'pending');
  }

  private begin(task: GraphTask): void {
    this.windows.enter(task);
    this.move(task.key, 'running');
  }

  /**
   * Nothing runs, and hosts in a window wait for tasks of hosts that wait for the window: the first of them goes on. Never
   * past a failed host.
   */
  private nextStuck(): GraphTask[] {
    for (const key of this.ordered()) {
      const task = this.byKey.get(key)!;
      if (!this.windows.isWaiting(key) || !this.needsMet(task) || !this.windows.isOpen(task, this.view)) continue;
      this.begin(task);
      return [task];
    }
    return [];
  }

  /** A running task ended well. */
  done(key: string): void {
    this.move(key, 'done');
  }

  /** A task is held back, from any state but done. */
  park(key: string): void {
    this.move(key, 'held');
  }

  /** The task's host has left: from any state but running. */
  skip(key: string): void {
    this.move(key, 'skipped');
  }

  /** A task is to run (again) when its turn comes, from any state. */
  release(key: string): void {
    this.move(key, 'pending');
  }

  /** One more task of a phase, behind all others; only the caller runs it. It counts like those of the plan. */
  add(phase: string, host: string): GraphTask {
    const task = { key: taskKey(phase, host), phase, host, order: this.tasks.length };
    const counts = this.phases.get(phase)!;
    const hosts = [...counts.hosts, host];
    this.phases.set(phase, { ...counts, phase: { ...counts.phase, hosts }, hosts: new Set(hosts) });
    this.added.add(task.key);
    this.tasks.push(task);
    this.byKey.set(task.key, task);
    this.states.set(task.key, 'pending');
    this.pending.add(task.key);
    return task;
  }

  /** True when every need of the task is met. */
  needsMet(task: GraphTask): boolean {
    return this.phases.get(task.phase)!.phase.needs.every((need) => this.met(need, task.host));
  }

  /** True when a need is met; `host` is whose, where it matters. */
  met(need: Need, host = ''): boolean {
    if (this.scope.gate && need.on !== 'same-host') return this.scope.gate(need);
    const counts = this.phases.get(need.phase);
    if (!counts) return true; // Not part of this plan: taken as given.
    const size = counts.phase.hosts.length;
    if (need.on === 'any-host') return counts.done >= 1;
    // A member that has left still counts among those of which a majority must be.
    if (need.on === 'quorum') return counts.done >= majority(size);
    // A phase of the worker process has one pseudo host, which belongs to no slice.
    if (need.on === 'every-host' || counts.hosts.has(CONTROLLER_HOST)) return counts.done + counts.skipped === size;
    return !counts.hosts.has(host) || this.is(taskKey(need.phase, host), 'done');
  }

  private isAway({ key, host }: GraphTask): boolean {
    return (this.scope.away?.has(host) ?? false) && !this.added.has(key);
  }

  private *ordered(): Iterable<string> {
    // The set holds released tasks at its end; the fixed order is that of the plan.
    const keys = [...this.pending];
    keys.sort((a, b) => this.byKey.get(a)!.order - this.byKey.get(b)!.order);
    yield* keys;
  }

  private move(key: string, to: NodeState): void {
    const from = this.states.get(key);
    const task = this.byKey.get(key);
    if (from === undefined || !task || from === to) return;
    const counts = this.phases.get(task.phase)!;
    if (from === 'pending') this.pending.delete(key);
    if (from === 'running') {
      counts.running -= 1;
      this.inFlight -= 1;
    }
    if (from === 'done') counts.done -= 1;
    if (from === 'skipped') counts.skipped -= 1;
    if (to === 'pending' && !this.isAway(task)) this.pending.add(key);
    if (to === 'running') {
      counts.running += 1;
      this.inFlight += 1;
    }
    if (to === 'done') counts.done += 1;
    if (to === 'skipped') counts.skipped += 1;
    this.states.set(key, to);
  }
}
