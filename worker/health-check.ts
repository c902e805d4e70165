import { hostname } from 'node:os';
import { Connection } from '@temporalio/client';
import { NAMESPACE, TASK_QUEUES } from '../contracts/messages.ts';
import { workerConfig } from './config.ts';

/**
 * Health check of a container with a worker: asks Temporal whether a process of this machine takes tasks from all three
 * queues. Prints one line; exits with 0 or 1.
 */
const config = workerConfig(process.env);
/** temporal.api.enums.v1.TaskQueueType, whose module does not export by name to ESM. */
const KINDS = { workflow: 1, activity: 2 } as const;
/** A poll waits for a task for a minute; one that began longer ago belongs to a process that is gone. */
const POLL_MS = 75_000;
const CONNECT_MS = 5_000;

const queues = [
  { name: TASK_QUEUES.workflows, kind: KINDS.workflow },
  { name: TASK_QUEUES.control, kind: KINDS.activity },
  { name: TASK_QUEUES.ssh, kind: KINDS.activity },
];

async function idleQueues(): Promise<string[]> {
  const connection = await Connection.connect({
    address: config.temporal.address,
    connectTimeout: CONNECT_MS,
    ...config.temporal.connect,
  });
  try {
    const answers = await Promise.all(
      queues.map(async ({ name, kind }) => {
        const { pollers } = await connection.workflowService.describeTaskQueue({
          namespace: config.temporal.namespace ?? NAMESPACE,
          taskQueue: { name },
          taskQueueType: kind,
        });
        // The SDK's identity of a worker: pid@hostname.
        const here = (pollers ?? []).filter(({ identity }) => identity?.endsWith(`@${hostname()}`));
        const last = Math.max(0, ...here.map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000));
        return Date.now() - last > POLL_MS ? [name] : [];
      }),
    );
    return answers.flat();
  } finally {
    await connection.close();
  }
}

try {
  const idle = await idleQueues();
  process.stdout.write(idle.length === 0 ? 'takes tasks\n' : `the worker takes no tasks from ${idle.join(', ')}\n`);
  process.exit(idle.length === 0 ? 0 : 1);
} catch (error) {
  process.stdout.write(`Temporal does not answer: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
