import { setTimeout as sleep } from 'node:timers/promises';
import type { Decision, OperationStatus } from '../../../contracts/operation.ts';
import type { Lab } from '../../../lab/lab.ts';
import { FAULTS } from './faults.ts';
import type { JournalWatch } from './journal.ts';
import { HOST_FAULTS, type Point } from './points.ts';
import type { Services } from './services.ts';

/** How often the journal is looked at while a point is waited for, ms. */
const LOOK_MS = 2;
/** A build takes about a minute, each fault up to half a minute more; a hung one ends the case with what was seen. */
const BUILD_LIMIT_MS = 10 * 60_000;
const ENDED = ['succeeded', 'failed', 'cancelled'];

/** One fault as it happened. */
export interface Struck {
  point: Point;
  /** Commands that ran at that moment. */
  running: string[];
  /** ms since the epoch: the fault's begin and end. */
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
export async function chaosBuild(
  at: { lab: Lab; services: Services; journal: JournalWatch },
  points: readonly Point[],
): Promise<ChaosBuild> {
  const { lab, services, journal } = at;
  const { operation } = await services.api.request<{ operation: string }>('POST', '/clusters', lab.spec);
  const deadline = Date.now() + BUILD_LIMIT_MS;
  const status = async (): Promise<OperationStatus> => {
    const found = await journal.status(lab.name, operation);
    if (found && Date.now() < deadline) return found;
    const what = found ? `${found.state}: ${describeTasks(found)}` : 'unknown';
    throw new Error(`the build did not end in ${BUILD_LIMIT_MS / 60_000} minutes; it is ${what}\n${logs(services)}`);
  };
  const decided: Decided[] = [];
  const decide = async (): Promise<void> => {
    const { blockedHosts, tasks } = await status();
    for (const host of blockedHosts) {
      const codes = tasks
        .filter((task) => task.host === host && task.state === 'blocked')
        .map((task) => task.error?.code ?? 'none');
      const done = await retry(services, lab.name, host);
      if (done) decided.push({ host, action: 'retry', codes });
    }
  };
  const untilGivenUp = async (host: string): Promise<void> => {
    for (;;) {
      const { blockedHosts, tasks, state } = await status();
      const busy = tasks.some((task) => task.host === host && ['pending', 'running'].includes(task.state));
      if (blockedHosts.includes(host) || !busy || ENDED.includes(state)) return;
      await sleep(50);
    }
  };

  const struck: Struck[] = [];
  for (const point of points) {
    for (let looks = 0; !journal.reached(operation, point); looks += 1) {
      await sleep(LOOK_MS);
      if (looks % 50 !== 0) continue;
      await decide();
      // Its command was not needed this time: strike all the same, here and now.
      const { state, tasks } = await status();
      const task = tasks.find(({ phase, host }) => phase === point.phase && host === point.host);
      if (ENDED.includes(state) || task?.state === 'succeeded') break;
    }
    const running = journal.running(operation);
    const struckAt = Date.now();
    await FAULTS[point.fault]({ lab, services, untilGivenUp }, point);
    struck.push({ point, running, struckAt, overAt: Date.now(), recoveryMs: null });
  }
  while (!ENDED.includes((await status()).state)) {
    await decide();
    await sleep(100);
  }
  for (const each of struck) {
    const host = (HOST_FAULTS as readonly string[]).includes(each.point.fault) ? each.point.host : undefined;
    const next = journal.firstAfter(operation, each.overAt, host);
    each.recoveryMs = next === null ? null : next - each.overAt;
  }
  return { operation, status: await status(), struck, decided };
}

/** True when it was taken. The host may be going on by itself by now, and the API may just be starting. */
async function retry(services: Services, cluster: string, host: string): Promise<boolean> {
  try {
    await services.api.request('POST', `/clusters/${cluster}/hosts/${host}/retry`, {});
    return true;
  } catch {
    return false;
  }
}

function describeTasks({ tasks }: OperationStatus): string {
  return tasks
    .filter(({ state }) => !['succeeded', 'pending'].includes(state))
    .map(({ phase, host, state, error }) => `${phase} on ${host} ${state} ${error?.code ?? ''} ${error?.message ?? ''}`)
    .join('; ');
}

const logs = (services: Services): string =>
  (['worker', 'api', 'temporal'] as const).map((name) => `--- ${name}\n${services.logTail(name, 15)}`).join('\n');
