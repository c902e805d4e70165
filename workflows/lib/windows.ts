import type { Turn } from '../../contracts/operation.ts';
import type { Need, Plan, PlanWindow } from '../../contracts/plan.ts';
import type { GraphTask } from './expand.ts';

/** What a window asks of the graph: pure look-ups. */
export interface WindowView {
  /** The task of a phase on a host is done or skipped, or the plan has no such task. */
  over(phase: string, host: string): boolean;
  running(phase: string, host: string): boolean;
  /** It failed and waits for a decision. */
  held(phase: string, host: string): boolean;
  /** A need that spans hosts is met. */
  met(need: Need): boolean;
}

interface Window {
  window: PlanWindow;
  phases: ReadonlySet<string>;
  hosts: ReadonlySet<string>;
  /** Hosts that begin when those of the window are over. */
  joining: ReadonlySet<string>;
  /** Hosts that may be changed now. */
  inside: Set<string>;
  /** Hosts that asked for a turn, in the order in which they did; `round`: how many hosts had left the window by then. */
  turns: Map<string, { turn: Turn; round: number }>;
  round: number;
}

/**
 * The windows of a plan: how many hosts may be changed at once in what they disrupt. Which tasks have something to change is not
 * known before each has looked, so a task first runs as a probe, for which no window is needed; the one that found a
 * difference is `waiting`, and starts again when its host is in the window. A host enters a window with its first such task, and
 * leaves it when all of its tasks there are over. A failed task takes a place in its window, and one of a host in the window
 * shuts it.
 *
 * A held task may ask for a turn. `first` goes before the others that wait. `last` waits until every other host of the window
 * is over, failed, or asked for `last` as well: of those, the one that asked earliest. Who is last can change with each host
 * that was changed, so a task that enters the window asks again while it `mayYield`: at most once per host and round.
 * Pure bookkeeping, part of replay.
 */
export class Windows {
  private readonly windows: readonly Window[];
  private readonly waiting = new Map<string, GraphTask>();
  /** Tasks with which their hosts entered: nothing was changed there before them. */
  private readonly entered = new Set<string>();

  constructor(plan: Plan) {
    this.windows = (plan.windows ?? []).map((window) => ({
      window,
      phases: new Set(window.phases),
      hosts: new Set(window.hosts),
      joining: new Set(window.joining),
      inside: new Set<string>(),
      turns: new Map<string, { turn: Turn; round: number }>(),
      round: 0,
    }));
  }

  /** The task may only look: it needs a window, and its host is in none. */
  probes({ phase, host }: GraphTask): boolean {
    return this.of(phase, host).some(({ inside }) => !inside.has(host));
  }

  /** The task changes a host of a window. */
  covers({ phase, host }: GraphTask): boolean {
    return this.of(phase, host).length > 0;
  }

  /** Hosts of its windows for one host at a time. */
  servedWith({ phase, host }: GraphTask): string[] {
    return [...new Set(this.of(phase, host).flatMap(({ window }) => (window.atMost === 1 ? window.hosts : [])))];
  }

  /** A task found something to change and did nothing: it waits for room in its windows, which its host leaves if it entered with it. */
  queue(task: GraphTask, view: WindowView, turn?: Turn): void {
    this.waiting.set(task.key, task);
    const yielded = this.entered.delete(task.key);
    for (const { window, inside, turns, round } of this.of(task.phase, task.host)) {
      const busy = window.phases.some((phase) => phase !== task.phase && view.running(phase, task.host));
      if (yielded && !busy) inside.delete(task.host);
      turns.delete(task.host);
      if (turn) turns.set(task.host, { turn, round });
    }
  }

  /** Its host enters with it, and another host is still to be changed that did not ask for the last turn since the last change. */
  mayYield({ key, phase, host }: GraphTask, view: WindowView): boolean {
    if (!this.entered.has(key)) return false;
    return this.of(phase, host).some((each) =>
      this.remaining(each, view).some((other) => {
        const asked = each.turns.get(other);
        return other !== host && (asked?.turn !== 'last' || asked.round < each.round);
      }),
    );
  }

  isWaiting(key: string): boolean {
    return this.waiting.has(key);
  }

  /**
   * A waiting task may start when each of its windows has room for its host; one that only looks, always; one of a host in
   * the window, beside fewer others than the window holds.
   */
  admits({ key, phase, host }: GraphTask, view: WindowView): boolean {
    const own = this.of(phase, host);
    for (const each of own) this.release(each, view);
    if (!this.mayJoin(phase, host, view)) return false;
    if (this.waiting.has(key))
      return own.every((each) => this.hasRoom(each, host, view) && this.isNext(each, host, view));
    return own.every((each) => !each.inside.has(host) || this.busyBeside(each, host, view) < each.window.atMost);
  }

  /**
   * No host of the task's windows has a failed task, and what comes before them is done: one more host, when nothing else can go
   * on, passes none.
   */
  isOpen({ phase, host }: GraphTask, view: WindowView): boolean {
    return this.of(phase, host).every((each) => this.failed(each, view).length === 0 && isTurn(each, view));
  }

  /** A waiting task starts: its host is in the windows from here on. */
  enter({ key, phase, host }: GraphTask): void {
    this.entered.delete(key);
    if (!this.waiting.delete(key)) return;
    const own = this.of(phase, host);
    if (!own.some(({ inside }) => inside.has(host))) this.entered.add(key);
    for (const { inside } of own) inside.add(host);
  }

  private of(phase: string, host: string) {
    return this.windows.filter(({ phases, hosts }) => phases.has(phase) && hosts.has(host));
  }

  /** A new host begins when every host that serves knows it. */
  private mayJoin(phase: string, host: string, view: WindowView): boolean {
    return this.windows.every(
      ({ window, phases, joining }) =>
        !phases.has(phase) || !joining.has(host) || window.hosts.every((other) => view.over(phase, other)),
    );
  }

  /** Hosts whose tasks there are over leave the window. */
  private release(each: Window, view: WindowView): void {
    for (const host of each.inside) {
      if (!each.window.phases.every((phase) => view.over(phase, host))) continue;
      each.inside.delete(host);
      each.turns.delete(host);
      each.round += 1;
    }
  }

  /** No other host goes before this one. A host that is being changed keeps its turn until it leaves. */
  private isNext(each: Window, host: string, view: WindowView): boolean {
    if (each.inside.has(host)) return true;
    const own = each.turns.get(host)?.turn;
    if (own === 'first') return true;
    if (own !== 'last') {
      const waits = (name: string) => [...this.waiting.values()].some((task) => task.host === name);
      return ![...each.turns].some(([name, { turn }]) => turn === 'first' && !each.inside.has(name) && waits(name));
    }
    const lasts = [...each.turns].filter(([, { turn }]) => turn === 'last').map(([name]) => name);
    const before = lasts.slice(0, lasts.indexOf(host));
    return this.remaining(each, view).every(
      (name) => name === host || (lasts.includes(name) && !before.includes(name)),
    );
  }

  /** Hosts with tasks in the window that are neither over nor failed. */
  private remaining({ window }: Window, view: WindowView): string[] {
    return window.hosts.filter(
      (host) =>
        window.phases.some((phase) => !view.over(phase, host)) &&
        !window.phases.some((phase) => view.held(phase, host)),
    );
  }

  private hasRoom(each: Window, host: string, view: WindowView): boolean {
    const { window, inside } = each;
    if (this.busyBeside(each, host, view) >= window.atMost) return false;
    if (inside.has(host)) return true;
    if (!isTurn(each, view)) return false;
    const failed = this.failed(each, view);
    if (failed.some((other) => inside.has(other))) return false;
    const taken = new Set([...inside, ...failed]);
    taken.delete(host);
    return taken.size < window.atMost;
  }

  /** Other hosts in the window that are being changed right now. */
  private busyBeside({ window, inside }: Window, host: string, view: WindowView): number {
    return [...inside].filter((other) => other !== host && window.phases.some((phase) => view.running(phase, other)))
      .length;
  }

  private failed({ window }: Window, view: WindowView): string[] {
    return window.hosts.filter((host) => window.phases.some((phase) => view.held(phase, host)));
  }
}

/** All that has to be done before the first host of the window is changed is done. */
const isTurn = ({ window }: Window, view: WindowView): boolean => (window.after ?? []).every((need) => view.met(need));
