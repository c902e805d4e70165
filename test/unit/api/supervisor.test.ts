import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { type Running, supervise } from '../../../api/supervisor.ts';

const logger = { warn: () => undefined, info: () => undefined };
const pace = { firstMs: 1, longestMs: 4, limit: 3, steadyMs: 60_000 };

interface Run extends Running {
  n: number;
  end(reason: string): void;
  stopped: boolean;
}

/** A part whose starts the test decides. */
function parts(start: (n: number) => void = () => undefined) {
  const runs: Run[] = [];
  let tries = 0;
  return {
    runs,
    tries: () => tries,
    start: async (): Promise<Run> => {
      tries += 1;
      start(tries);
      let end: (reason: string) => void = () => undefined;
      const ended = new Promise<string>((resolve) => {
        end = resolve;
      });
      const run: Run = {
        ...{ n: tries, ended, end, stopped: false },
        async stop() {
          this.stopped = true;
        },
      };
      runs.push(run);
      return run;
    },
  };
}

it('restarts a part that ended, and reports it as down meanwhile', async () => {
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const given = parts();
  const onGiveUp = vi.fn<(reason: string) => void>();
  const start = async () => {
    if (given.tries() > 0) await gate;
    return await given.start();
  };
  const kept = await supervise({ name: 'x', start, logger, pace, onGiveUp });
  expect(kept.up).toBe(true);
  given.runs[0]!.end('killed');
  await vi.waitFor(() => expect(kept.up).toBe(false));
  open();
  await vi.waitFor(() => expect(kept.up).toBe(true));
  expect(kept.part.n).toBe(2);
  await kept.stop();
  expect(given.runs[1]!.stopped).toBe(true);
  expect(onGiveUp).not.toHaveBeenCalled();
});

it('repeats starts that fail, and gives up after a limit with the last reason', async () => {
  const given = parts((n) => {
    if (n > 1) throw new Error(`no port ${n}`);
  });
  const onGiveUp = vi.fn<(reason: string) => void>();
  const kept = await supervise({ name: 'x', start: given.start, logger, pace, onGiveUp });
  given.runs[0]!.end('killed');
  await vi.waitFor(() => expect(onGiveUp).toHaveBeenCalledTimes(1));
  expect(onGiveUp).toHaveBeenCalledWith('x does not stay up: no port 4');
  expect(given.tries()).toBe(1 + pace.limit);
  await sleep(20);
  expect(given.tries()).toBe(1 + pace.limit);
  await kept.stop();
});

it('counts ends soon after a start, not those after a steady run', async () => {
  for (const [steadyMs, givesUp] of [
    [60_000, true],
    [0, false],
  ] as const) {
    const given = parts();
    const onGiveUp = vi.fn<(reason: string) => void>();
    const kept = await supervise({ name: 'x', start: given.start, logger, pace: { ...pace, steadyMs }, onGiveUp });
    for (let n = 1; n <= pace.limit + 1; n += 1) {
      await vi.waitFor(() => expect(given.runs.length).toBe(n));
      await sleep(2);
      given.runs[n - 1]!.end('crashed');
    }
    if (givesUp) await vi.waitFor(() => expect(onGiveUp).toHaveBeenCalledTimes(1));
    else await vi.waitFor(() => expect(given.runs.length).toBe(pace.limit + 2));
    expect(onGiveUp).toHaveBeenCalledTimes(givesUp ? 1 : 0);
    await kept.stop();
  }
});

it('starts nothing after it was stopped', async () => {
  const given = parts();
  const kept = await supervise({ name: 'x', start: given.start, logger, pace, onGiveUp: () => undefined });
  await kept.stop();
  given.runs[0]!.end('killed');
  await sleep(20);
  expect(given.tries()).toBe(1);
});
