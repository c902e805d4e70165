import { setTimeout as sleep } from 'node:timers/promises';
import type { HaCase } from './case.ts';
import type { HaCluster } from './cluster.ts';
import { HolderWatch, oneHolderAfterMs } from './holders.ts';
import type { InsideClient, InsideReport } from './inside-client.ts';
import { OutsideClient, type OutsideOptions } from './outside-client.ts';
import type { WriterReport } from './writer.ts';

/** Time that the clients run undisturbed before a case and after it, ms. */
const QUIET_MS = 3_000;

/** What a case cost. */
export interface Measured {
  case: HaCase;
  writer: WriterReport;
  /** Null where there are no pods to ask. */
  inside: InsideReport | null;
  /** Longest time until one balancer host had the endpoint's address and went on having it; null: not to be asked. */
  oneHolderMs: number | 'never' | null;
  startedAt: number;
  tookMs: number;
}

interface Parts {
  cluster: HaCluster;
  inside: InsideClient | null;
  outside: OutsideOptions;
}

/** Runs a case under both clients. Throws when the case itself cannot be carried out. */
export async function measure(one: HaCase, { cluster, inside, outside }: Parts): Promise<Measured> {
  await one.before?.(cluster);
  const startedAt = Date.now();
  const client = await OutsideClient.start(outside);
  const balancers = cluster.hosts('load-balancer');
  const watch = balancers.length > 0 ? watchOf(cluster, balancers) : null;
  try {
    await sleep(QUIET_MS);
    await one.run({ cluster, client, oneHolderFrom: () => watch?.mark() });
    await sleep(QUIET_MS);
  } catch (error) {
    client.kill();
    await watch?.end();
    throw error;
  }
  const [writer, oneHolderMs] = await Promise.all([client.stop(), watch?.end() ?? null]);
  const endedAt = Date.now();
  const insideReport = (await inside?.report(startedAt, endedAt)) ?? null;
  return { case: one, writer, inside: insideReport, oneHolderMs, startedAt, tookMs: endedAt - startedAt };
}

/** Watches the holders of the address; a mark ends what belongs to the mark before. */
function watchOf(cluster: HaCluster, balancers: readonly string[]) {
  const machines = balancers.map((host) => cluster.machineOf(host));
  const watch = new HolderWatch(cluster.lab, machines, cluster.lab.virtualAddress);
  const marks: number[] = [];
  return {
    mark: () => void marks.push(Date.now()),
    async end(): Promise<Measured['oneHolderMs']> {
      const samples = await watch.stop();
      const each = marks.map((from, index) => {
        const until = marks[index + 1] ?? Infinity;
        return oneHolderAfterMs(
          samples.filter(({ at }) => at < until),
          from,
        );
      });
      if (each.length === 0) return null;
      return each.some((ms) => ms === null) ? 'never' : Math.max(...each.map(Number));
    },
  };
}
