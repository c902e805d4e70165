import type { Decision, OperationStatus } from '../../../contracts/operation.ts';
import type { Cluster } from './cluster.ts';
import { strike } from './faults.ts';
import { isHostFault, type Point } from './points.ts';
import { WatchedBuild } from './watched-build.ts';

/** A point as it was struck: one fault, or two at once. */
export interface Struck {
  point: Point;
  /** Commands that ran at that moment. */
  running: string[];
  /** ms since the epoch: the begin of the first fault, and the end of the last. */
  struckAt: number;
  overAt: number;
  /** From the fault's end to the next command (of its host); null when none was left to run. */
  recoveryMs: number | null;
}

/** A person's part: the harness retries what is blocked once the fault is over. */
export interface Decided {
  host: string;
  action: Decision['action'];
  /** Codes of the blocked tasks. */
  codes: string[];
}

export interface ChaosBuild {
  operation: string;
  status: OperationStatus;
  struck: Struck[];
  decided: Decided[];
}

/** Build the lab's cluster and strike at every point, in order. */
export async function chaosBuild(at: Cluster, points: readonly Point[]): Promise<ChaosBuild> {
  const { lab, services, journal } = at;
  const build = await WatchedBuild.start(at);
  const { operation } = build;

  const decided: Decided[] = [];
  const decide = async (): Promise<void> => {
    const { blockedHosts, tasks } = await build.status();
    for (const host of blockedHosts) {
      const blocked = tasks.filter((task) => task.host === host && task.state === 'blocked');
      if (!(await retry(at, host))) continue;
      decided.push({ host, action: 'retry', codes: blocked.map((task) => task.error?.code ?? 'none') });
    }
  };
  const untilGivenUp = async (host: string): Promise<void> => {
    await build.until(
      ({ blockedHosts, tasks }) =>
        blockedHosts.includes(host) ||
        !tasks.some((task) => task.host === host && ['pending', 'running'].includes(task.state)),
    );
  };

  const struck: Struck[] = [];
  for (const point of points) {
    await build.untilReached(point, decide);
    const running = journal.running(operation);
    const struckAt = Date.now();
    await strike({ lab, services, untilGivenUp }, point);
    struck.push({ point, running, struckAt, overAt: Date.now(), recoveryMs: null });
  }
  const status = await build.ended(decide);
  for (const each of struck) {
    const host = isHostFault(each.point.fault) ? each.point.host : undefined;
    const next = journal.firstAfter(operation, each.overAt, host);
    each.recoveryMs = next === null ? null : next - each.overAt;
  }
  return { operation, status, struck, decided };
}

/** True when it was taken. The host may be going on by itself by now, and the API may just be starting. */
async function retry({ services, lab }: Cluster, host: string): Promise<boolean> {
  try {
    await services.api.request('POST', `/clusters/${lab.name}/hosts/${host}/retry`, {});
    return true;
  } catch {
    return false;
  }
}
