import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandStart } from '../../../activities/host/types.ts';
import { PauseWatch } from '../../../activities/tasks/pause-watch.ts';
import { stoppable, TaskStop } from '../../../activities/tasks/task-stop.ts';

const start = () => ({
  host: 'worker-1',
  hostKeyFingerprint: 'SHA256:x',
  kind: 'exec' as const,
  argv: ['true'],
  stdinSha256: null,
  stdinBytes: 0,
  startedAt: new Date(),
});
const end = () => ({
  endedAt: new Date(),
  code: 0,
  signal: null,
  stdout: '',
  stderr: '',
  stdoutBytes: 0,
  stderrBytes: 0,
  truncated: false,
  error: null,
});

describe('a task of a paused operation', () => {
  const recording = () => {
    const stop = new TaskStop();
    const journal = {
      begin: vi.fn(async ({ ends = 1 }: CommandStart) => ({ seq: ends, end: () => Promise.resolve() })),
    };
    return { stop, journal, recorder: stoppable(journal, stop) };
  };

  it('drains: running commands end, none begins, then it is over', async () => {
    const { stop, journal, recorder } = recording();
    const [first, second] = [await recorder.begin(start()), await recorder.begin(start())];
    stop.drain();
    await expect(recorder.begin(start())).rejects.toMatchObject({ code: 'TASK_PAUSED' });
    await first!.end(end());
    expect(stop.signal.aborted).toBe(false);
    await second!.end(end());
    expect(stop.signal.aborted).toBe(true);
    expect(journal.begin).toHaveBeenCalledTimes(2);
  });

  it('starts no command after a pause that has not been delivered yet', async () => {
    const read = vi.fn().mockResolvedValue(null);
    const watch = new PauseWatch(read, 3_600_000);
    const stop: TaskStop = new TaskStop(() => watching.readPause());
    const watching = watch.watch({ cluster: 'c', operationId: 'o', since: '2026-01-01' }, () => stop.drain());
    const recorder = stoppable({ begin: async () => ({ seq: 1, end: () => Promise.resolve() }) }, stop);
    const running = await recorder.begin(start());
    read.mockResolvedValue({ by: 'admin', at: '2026-01-02', mode: 'drain' });
    await expect(recorder.begin(start())).rejects.toMatchObject({ code: 'TASK_PAUSED' });
    expect(stop.signal.aborted).toBe(false);
    await running.end(end());
    expect(stop.signal.aborted).toBe(true);
    watching.end();
  });

  it('is over at once when nothing runs, or when it is interrupted', async () => {
    const idle = recording();
    idle.stop.drain();
    expect(idle.stop.signal.aborted).toBe(true);
    const busy = recording();
    await busy.recorder.begin(start());
    busy.stop.drain();
    busy.stop.now();
    expect(busy.stop.signal.aborted).toBe(true);
  });

  it('still begins what ends a command, and does not wait for it', async () => {
    const { stop, recorder } = recording();
    const { seq } = await recorder.begin(start());
    stop.drain();
    await recorder.begin({ ...start(), kind: 'stop', ends: seq });
    expect(stop.signal.aborted).toBe(false);
  });

  it('counts a command that the journal did not take as none', async () => {
    const { stop, journal, recorder } = recording();
    journal.begin.mockRejectedValueOnce(new Error('the store is away'));
    await expect(recorder.begin(start())).rejects.toThrow('away');
    stop.drain();
    expect(stop.signal.aborted).toBe(true);
  });
});

describe('the watch for pauses', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const pause = (at: string) => ({ by: 'admin', at, mode: 'drain' as const });

  it('notifies all tasks that were scheduled before the pause, with one read', async () => {
    const read = vi.fn().mockResolvedValue(pause('2026-01-02'));
    const watch = new PauseWatch(read, 100);
    const [before, after] = [vi.fn(), vi.fn()];
    const ends = [
      watch.watch({ cluster: 'c', operationId: 'o', since: '2026-01-01' }, before),
      watch.watch({ cluster: 'c', operationId: 'o', since: '2026-01-03' }, after),
    ];
    await vi.advanceTimersByTimeAsync(250);
    expect(read).toHaveBeenCalledTimes(3);
    expect(before).toHaveBeenCalledWith('drain');
    expect(after).not.toHaveBeenCalled();
    for (const each of ends) each.end();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(read).toHaveBeenCalledTimes(3);
  });

  it('continues to read after the store was unreachable', async () => {
    const read = vi.fn().mockRejectedValueOnce(new Error('away')).mockResolvedValue(pause('2026-01-02'));
    const told = vi.fn();
    const watching = new PauseWatch(read, 100).watch({ cluster: 'c', operationId: 'o', since: '2026-01-01' }, told);
    await vi.advanceTimersByTimeAsync(150);
    expect(told).toHaveBeenCalledTimes(1);
    watching.end();
  });
});
