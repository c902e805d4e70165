import { z } from 'zod';
import type { Change } from '../../contracts/operation.ts';
import { readLedger } from '../resources/ledger.ts';
import { contextOf } from './desired.ts';
import { definePhase } from './phase.ts';

/**
 * Hosts that leave the cluster, or a role, make others take over what only one host has at a time, while the others still know
 * them: every other task of the plan comes after it.
 */
export default definePhase({
  name: 'hand-over',
  title: 'Hand over',
  onDemand: true,
  hosts: 'all',
  needs: [],
  timeouts: { applyMs: 2 * 60_000, verifyMs: 10_000 },
  expectedMs: 1_000,
  options: z.strictObject({}),
  async run(run): Promise<Change[]> {
    const able = [...run.phases.values()].filter(({ hooks }) => hooks?.handOver !== undefined);
    if (able.length === 0 || run.mode === 'check') return [];
    const { entries } = await readLedger(run.remote);
    const changes: Change[] = [];
    for (const phase of able) {
      // What it never placed here it cannot hand over.
      if (!entries.some((entry) => entry.phase === phase.name)) continue;
      run.signal.throwIfAborted();
      changes.push(...((await phase.hooks?.handOver?.({ ...run, ...contextOf(run, phase), mode: run.mode })) ?? []));
    }
    return changes;
  },
});
