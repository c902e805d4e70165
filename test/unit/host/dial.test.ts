import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { dial } from '../../../activities/host/dial.ts';
import { watchSilence } from '../../../activities/host/socket.ts';
import { KubewrightError } from '../../../contracts/errors.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const down = () =>
  new KubewrightError('SSH_UNREACHABLE', 'w-1 does not answer', { host: 'w-1', evidence: 'ETIMEDOUT' });
const options = (more: { retryForMs?: number; signal?: AbortSignal } = {}) => ({
  retryForMs: 10_000,
  passes: (error: unknown) => KubewrightError.is(error) && error.code === 'SSH_UNREACHABLE',
  signal: new AbortController().signal,
  ...more,
});

test('a host that answers within the time limit is connected', async () => {
  let tries = 0;
  const dialed = dial(async () => {
    tries += 1;
    if (tries < 5) throw down();
    return 'in';
  }, options());
  await vi.runAllTimersAsync();
  expect(await dialed).toBe('in');
});

test('one that does not answer is reported with the time of all tries; no try gets more than the remaining time', async () => {
  const began = performance.now();
  const left: number[] = [];
  const verdict = dial((leftMs) => {
    left.push(leftMs);
    return Promise.reject(down());
  }, options()).catch((error: unknown) => error);
  await vi.runAllTimersAsync();
  expect(await verdict).toMatchObject({
    code: 'SSH_UNREACHABLE',
    message: 'w-1 does not answer (tried for 10 s)',
    host: 'w-1',
    evidence: 'ETIMEDOUT',
  });
  expect(performance.now() - began).toBeLessThanOrEqual(10_000);
  expect(left.length).toBeGreaterThan(10);
  expect(left[0]).toBe(10_000);
  expect(left).toEqual(left.toSorted((a, b) => b - a));
});

test('without patience there is one try; what does not pass by itself, or a closed pool, ends at once', async () => {
  for (const [error, more] of [
    [down(), { retryForMs: 0 }],
    [new KubewrightError('SSH_AUTH_FAILED', 'refused'), {}],
    [down(), { signal: AbortSignal.abort() }],
  ] as const) {
    const login = vi.fn<() => Promise<never>>().mockRejectedValue(error);
    expect(await dial(login, options(more)).catch((thrown: unknown) => thrown)).toBe(error);
    expect(login).toHaveBeenCalledTimes(1);
  }
});

test('silence is counted in intervals without a byte, and a stopped worker is not fooled by its own sleep', async () => {
  const stream = new PassThrough();
  const silent = vi.fn<() => void>();
  watchSilence(stream, { everyMs: 1_000, count: 3, firstMs: 0 }, silent);
  for (let second = 0; second < 20; second += 1) {
    stream.write('x');
    await vi.advanceTimersByTimeAsync(1_500);
  }
  // Asleep for an hour: one timer fires, then what came meanwhile is read.
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(1_000);
  stream.write('x');
  await vi.advanceTimersByTimeAsync(3_000);
  expect(silent).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2_000);
  expect(silent).toHaveBeenCalledTimes(1);
  stream.destroy();
});
