import { setTimeout as sleep } from 'node:timers/promises';
import { cutLink, execInHost, rebootHost, restoreLink, startSshd, stopSshd } from '../../../lab/faults.ts';
import type { Lab } from '../../../lab/lab.ts';
import type { FaultName, Point } from './points.ts';
import { PROCESSES, type ProcessName, type Services } from './services.ts';

/** What a fault is done to. */
export interface Scene {
  lab: Lab;
  services: Services;
  /** Resolves when the host waits for a decision or has nothing left to do. */
  untilGivenUp: (host: string) => Promise<void>;
}

/** Shares of outages that are sat out until the host is given up; the others are over before. */
const UNTIL_GIVEN_UP = 0.2;

/** Does the damage and undoes it; resolves when all is as it was before, for the system to go on. */
type Fault = (scene: Scene, point: Pick<Point, 'host' | 'chance'>) => Promise<void>;

/** Between 50 ms and `most`, by the point's own chance. */
const lasting = ({ chance }: Pick<Point, 'chance'>, most: number): number => 50 + chance * most;

const kill =
  (...names: readonly ProcessName[]): Fault =>
  async ({ services }, point) => {
    await Promise.all(names.map((name) => services.down(name)));
    await sleep(lasting(point, 1_500));
    // Temporal first, as its unit would be ordered; the others come back when they can.
    if (names.includes('temporal')) await services.up('temporal');
    await Promise.all(names.filter((name) => name !== 'temporal').map((name) => services.up(name)));
  };

const outage =
  (begin: typeof stopSshd, end: typeof startSshd, most: number): Fault =>
  async ({ lab, untilGivenUp }, point) => {
    await begin(lab, point.host);
    try {
      if (point.chance < UNTIL_GIVEN_UP) await untilGivenUp(point.host);
      else await sleep(lasting(point, most));
    } finally {
      await end(lab, point.host);
    }
  };

/** Ends apt or dpkg on the host as soon as it is seen there; nothing when the installation is over before. */
const killPackageManager: Fault = async ({ lab }, point) => {
  const program = point.chance < 0.5 ? 'dpkg' : 'apt-get';
  // Looks inside the host: a process can come and go between two looks from outside.
  const script = 'i=0; while [ $i -lt 400 ]; do pkill -KILL -x "$1" && exit 0; i=$((i+1)); sleep 0.02; done; exit 1';
  await execInHost(lab, point.host, ['sh', '-c', script, 'sh', program]);
};

const FAULTS: Record<FaultName, Fault> = {
  worker: kill('worker'),
  api: kill('api'),
  temporal: kill('temporal'),
  all: kill(...PROCESSES),
  sshd: outage(stopSshd, startSshd, 3_000),
  link: outage(cutLink, restoreLink, 6_000),
  reboot: ({ lab }, point) => rebootHost(lab, point.host),
  packages: killPackageManager,
};

/** How much later the second fault of a pair begins, at most: less than the shortest first one takes on a slow day, ms. */
const MOST_LAG_MS = 300;

/** Does everything that a point says; resolves when all of it is undone, and throws what went wrong in between. */
export async function strike(scene: Scene, point: Point): Promise<void> {
  const { also } = point;
  const second = async (): Promise<void> => {
    if (!also) return;
    await sleep(also.lag * MOST_LAG_MS);
    await FAULTS[also.fault](scene, also);
  };
  const done = await Promise.allSettled([FAULTS[point.fault](scene, point), second()]);
  for (const result of done) if (result.status === 'rejected') throw result.reason;
}
