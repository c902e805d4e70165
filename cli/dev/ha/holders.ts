import { setTimeout as sleep } from 'node:timers/promises';
import { execInHost, type LabRef } from '../../../lab/faults.ts';

/** Time between two questions to a host, ms. */
const ASK_EVERY_MS = 100;

interface Sample {
  at: number;
  /** Hosts that have the address, in order. */
  holders: string;
  count: number;
}

/** Which hosts have an address on one of their interfaces, asked from inside: also of a host whose link is cut. */
export async function holdersOf(lab: LabRef, hosts: readonly string[], address: string): Promise<string[]> {
  const argv = ['ip', '-4', '-oneline', 'address', 'show', 'to', address];
  const holds = await Promise.all(
    hosts.map(async (host) => {
      // A host that is off has no address, and one that is going down may say anything.
      const { code, stdout } = await execInHost(lab, host, argv).catch(() => ({ code: 1, stdout: '' }));
      return code === 0 && stdout.includes(`${address}/`);
    }),
  );
  return hosts.filter((_, index) => holds[index]);
}

/** Asks all the time who has the address, until it is stopped. */
export class HolderWatch {
  readonly #samples: Sample[] = [];
  #stopped = false;
  readonly #loop: Promise<void>;

  constructor(lab: LabRef, hosts: readonly string[], address: string) {
    this.#loop = (async () => {
      while (!this.#stopped) {
        const holders = await holdersOf(lab, hosts, address);
        this.#samples.push({ at: Date.now(), holders: holders.join(' and '), count: holders.length });
        await sleep(ASK_EVERY_MS);
      }
    })();
  }

  async stop(): Promise<Sample[]> {
    this.#stopped = true;
    await this.#loop;
    return this.#samples;
  }
}

/**
 * How long after a moment there was, for the last time, another number of holders than one; 0 where there always was
 * one, null where there was not one at the end.
 */
export function oneHolderAfterMs(samples: readonly Sample[], from: number): number | null {
  const after = samples.filter(({ at }) => at >= from);
  if (after.at(-1)?.count !== 1) return null;
  const wrong = after.findLastIndex(({ count }) => count !== 1);
  return wrong < 0 ? 0 : after[wrong + 1]!.at - from;
}
