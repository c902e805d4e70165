import { setTimeout as sleep } from 'node:timers/promises';
import type { HaCluster } from './cluster.ts';
import { holdersOf } from './holders.ts';
import type { OutsideClient } from './outside-client.ts';
import type { ProviderName } from './providers.ts';

/** Longest time without an acknowledged write, ms, that we aim at: docs/benchmarks.md names them. */
export const GOALS = {
  processKilled: 1_000,
  balancerLost: 3_000,
  controlPlaneLost: 5_000,
  planned: 1_000,
} as const;

/** What a case acts on. The clients run all the while. */
export interface CaseContext {
  cluster: HaCluster;
  client: OutsideClient;
  /** Marks the moment from which on there has to be one holder of the endpoint's address again. */
  oneHolderFrom: () => void;
}

/** One thing that happens to a cluster that serves. */
export interface HaCase {
  /** For `--case`. */
  name: string;
  /** As the table has it. */
  title: string;
  goalMs: number;
  /** Ways to the API servers for which the case exists. */
  providers: readonly ProviderName[];
  /** What has to be so before the clients start. */
  before?(cluster: HaCluster): Promise<void>;
  /** Carries it out, and what mends it: all of it is measured. */
  run(at: CaseContext): Promise<void>;
}

/** Time that a loss lasts before it is mended, ms: longer than any goal. */
export const LASTS_MS = 8_000;

export const lasts = (): Promise<void> => sleep(LASTS_MS);

/** The balancer host that has the endpoint's address. Throws unless it is exactly one. */
export async function holderOf(cluster: HaCluster): Promise<string> {
  const { lab } = cluster;
  const holders = await holdersOf(lab, cluster.hosts('load-balancer'), lab.virtualAddress);
  if (holders.length !== 1) throw new Error(`${holders.join(' and ') || 'no host'} has ${lab.virtualAddress}`);
  return holders[0]!;
}
