import { z } from 'zod';
import type { Change } from '../../contracts/operation.ts';
import { definePhase } from './phase.ts';

/**
 * What the store keeps for hosts that are gone: the host keys that were trusted on first use, and, of a whole cluster,
 * its authorities, certificates and keys. What happened (specs, operations, journal) stays.
 */
export default definePhase({
  name: 'forget',
  title: 'Forget secrets',
  onDemand: true,
  hosts: 'controller',
  needs: [{ phase: 'teardown', on: 'every-host' }],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 10_000 },
  expectedMs: 300,
  options: z.strictObject({}),
  async run({ purgeSecrets, targetHosts, mode }): Promise<Change[]> {
    const { secrets, hostKeys } = await purgeSecrets({ hosts: targetHosts, dryRun: mode === 'check' });
    const change = (resource: string, count: number): Change[] =>
      count === 0 ? [] : [{ resource, action: 'remove', detail: `${count}` }];
    return [...change('store:secrets', secrets), ...change('store:host-keys', hostKeys)];
  },
});
