import { z } from 'zod';
import { definePhase } from '../phase.ts';
import { tearDownHost } from './host.ts';

/** Everything that Kubewright placed on a host is taken back. Hosts do not wait for each other: one that is down delays no other. */
export default definePhase({
  name: 'teardown',
  title: 'Teardown',
  onDemand: true,
  hosts: 'all',
  needs: [
    { phase: 'remove-node', on: 'every-host' },
    { phase: 'remove-member', on: 'every-host' },
  ],
  timeouts: { applyMs: 30 * 60_000, verifyMs: 10_000 },
  expectedMs: 8_000,
  options: z.strictObject({}),
  run: tearDownHost,
});
