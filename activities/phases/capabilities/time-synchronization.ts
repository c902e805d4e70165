import { z } from 'zod';
import { defineCapability } from '../capability.ts';

/** What keeps the clocks of the hosts together. A cluster may leave it to something else. */
export const timeSynchronization = defineCapability({
  name: 'time-synchronization',
  choice: 'at-most-one',
  data: z.strictObject({}),
});
