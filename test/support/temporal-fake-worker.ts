import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context, heartbeat } from '@temporalio/activity';
import { startWorkers } from '../../worker/run.ts';
import { TEST_WORKER_CONVERTER } from './temporal-codec.ts';
import { type PhaseSketch, planOf } from './temporal-plan.ts';

// A worker process of its own, to be killed by crash.test.ts. Every attempt and every finished task is a line in the
// log file; a task named in HOLD waits until the file OPEN exists.
const [, , address, namespace, bundlePath, logFile, openFile, hold, sketch] = process.argv as string[];
const phases = JSON.parse(sketch!) as PhaseSketch[];

const { run } = await startWorkers({
  address: address!,
  namespace: namespace!,
  bundlePath: bundlePath!,
  dataConverter: TEST_WORKER_CONVERTER,
  activities: {
    phases: Object.fromEntries(
      phases.map(({ name }) => [
        name,
        async ({ phase, host }) => {
          const task = `${phase}:${host}`;
          appendFileSync(logFile!, `start ${task} ${Context.current().info.attempt}\n`);
          while (task === hold && !existsSync(openFile!)) {
            heartbeat();
            await sleep(50);
          }
          appendFileSync(logFile!, `end ${task}\n`);
          return { changes: [], changeCount: 1, restarts: [], commands: 1, durationMs: 1, commandMs: 1 };
        },
      ]),
    ),
    control: {
      makePlan: async (input) => planOf(input.cluster, phases, { heartbeatTimeoutMs: 2_000 }),
      projectStatus: async () => undefined,
      projectTasks: async () => undefined,
      closeOperation: async () => ({}),
      forgetHost: async () => undefined,
      takeCommand: async ({ owner, operationId }) => ({ owner, operationId }),
    },
  },
});
await run;
