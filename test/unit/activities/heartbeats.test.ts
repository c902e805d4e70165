import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { beatEveryMs, heartbeats } from '../../../activities/tasks/heartbeats.ts';

test('a few tasks beat often enough for a quick pause, many do not flood the server, none misses its timeout', () => {
  expect(beatEveryMs(1, 15_000)).toBeLessThanOrEqual(500);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 5_000, max: 60_000 }), (running, timeoutMs) => {
      const every = beatEveryMs(running, timeoutMs);
      expect(every).toBeLessThanOrEqual(timeoutMs / 5);
      // 100 tasks are what one process runs at once.
      if (running <= 100) expect((running * 1000) / every).toBeLessThanOrEqual(100);
    }),
  );
});

test('a task beats with its present step as long as it runs; one that is over at once does not beat', async () => {
  vi.useFakeTimers();
  try {
    const sent: string[] = [];
    const beating = heartbeats(15_000, ({ step }) => sent.push(step));
    await beating(async (step) => step('probe'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sent).toEqual([]);

    const running = beating(async (step) => {
      step('probe');
      await new Promise((resolve) => setTimeout(resolve, 500));
      step('apply');
      await new Promise((resolve) => setTimeout(resolve, 500));
    });
    await vi.advanceTimersByTimeAsync(1_100);
    await running;
    expect(sent).toEqual(['probe', 'apply']);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(sent).toHaveLength(2);
  } finally {
    vi.useRealTimers();
  }
});
