import { z } from 'zod';
import { definePhase } from '../phase.ts';
import { cleanUpHost } from './host.ts';

/**
 * What the desired state no longer has is taken away from the hosts, by their ledgers: of phases that were switched off or
 * replaced, and of options that changed. Planned only where the desired state may have changed.
 */
export default definePhase({
  name: 'cleanup',
  title: 'Clean up hosts',
  hosts: 'all',
  closing: true,
  needs: [{ phase: 'prune', on: 'every-host' }],
  timeouts: { applyMs: 30 * 60_000, verifyMs: 10_000 },
  expectedMs: 1_000,
  options: z.strictObject({}),
  run: cleanUpHost,
});
