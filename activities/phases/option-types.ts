import { z } from 'zod';

/** Flags of a daemon beyond ours, or in place of ours: name without dashes → value. */
export const extraArgs = z
  .record(z.string().regex(/^[a-z][a-z0-9-]{0,79}$/, 'must be a flag without its dashes'), z.string().max(1000))
  .default({})
  .describe('Further flags; they win over ours');

/** A configuration file of Kubernetes, merged over ours key by key; what may stand in it is the daemon's to judge. */
export const configOverrides = z
  .record(z.string().max(100), z.unknown())
  .default({})
  .describe('Merged over the configuration file, key by key');
