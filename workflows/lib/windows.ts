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
  /** Hosts that may be changed now. */
  inside: Set<string>;
}

/**
 * The windows of a plan: how many hosts may be changed at once in what they disrupt. Which tasks have something to change is not
 * known before each has looked, so a task first runs as a probe, for which no window is needed; the one that found a
 * difference is `waiting`, and starts again when its host is in the window. A host enters a window with its first such task, and
 * leaves it when all of its tasks there are over. A failed task takes a place in its window, and one of a host in the window
 * shuts it. Pure bookkeeping, part of replay.
 */
export class Windows {
  private readonly windows: readonly Window[];
  private readonly waiting = new Set<string>();

  constructor(plan: Plan) {
    this.windows = (plan.windows ?? []).map((window) => ({
      window,
      phases: new Set(window.phases),
      hosts: new Set(window.hosts),
      inside: new Set<string>(),
    }));
  }

  /** The task may only look: it needs a window, and its host is in none. */
  probes({ phase, host }: GraphTask): boolean {
    return this.of(phase, host).some(({ inside }) => !inside.has(host));
  }

  /** A probe found something to change: the task waits for room in its windows. */
  queue(key: string): void {
    this.waiting.add(key);
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
    if (this.waiting.has(key)) return own.every((each) => this.hasRoom(each, host, view));
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
    if (!this.waiting.delete(key)) return;
    for (const { inside } of this.of(phase, host)) inside.add(host);
  }

  private of(phase: string, host: string) {
    return this.windows.filter(({ phases, hosts }) => phases.has(phase) && hosts.has(host));
  }

  /** Hosts whose tasks there are over leave the window. */
  private release({ window, inside }: Window, view: WindowView): void {
    for (const host of inside) if (window.phases.every((phase) => view.over(phase, host))) inside.delete(host);
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
