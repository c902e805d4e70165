import fc from 'fast-check';
import { expect, test } from 'vitest';
import { beatEveryMs } from '../../../activities/heartbeats.ts';

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
