import { z } from 'zod';
import { absolutePath } from '../../../contracts/primitives.ts';
import { defineCapability } from '../capability.ts';

/** What runs the containers of a node, through the Container Runtime Interface. */
export const containerRuntime = defineCapability({
  name: 'container-runtime',
  choice: true,
  bound: 'the containers of all running pods are its own',
  data: z.strictObject({
    socket: absolutePath.describe('Path of the UNIX socket that serves the Container Runtime Interface'),
    unit: z
      .string()
      .regex(/^[a-zA-Z0-9:_.@-]{1,200}\.service$/)
      .describe('systemd unit that has to run before the kubelet'),
    cgroupDriver: z
      .enum(['systemd', 'cgroupfs'])
      .describe('Who makes the cgroups of pods; the kubelet has to do the same'),
    imageFolder: absolutePath
      .optional()
      .describe(
        'Folder of images and containers, on the file system that the kubelet calls `imagefs`. Absent: that of the kubelet',
      ),
  }),
});
