import { z } from 'zod';
import { defineCapability } from '../capability.ts';

/** What `kubectl top` and autoscalers read: CPU and memory of nodes and pods. A cluster may be without it. */
export const resourceMetrics = defineCapability({
  name: 'resource-metrics',
  data: z.strictObject({
    api: z
      .string()
      .regex(/^[a-z0-9.-]{1,100}\/[a-z0-9]{1,20}$/)
      .describe('Group and version of the API'),
  }),
});
