import type { CommandRecorder } from './host/types.ts';

/** Metrics of tasks and SSH connections. Labels are words of ours only: never a host, never a cluster. */
export interface ActivityMetrics {
  /** A task began; call what is returned at its end, with `succeeded` or the error's code. */
  task(phase: string): (result: string) => void;
  /** A command on a host ended: its kind, `ok` or the error's code, and how long it took, s. */
  command(kind: string, result: string, seconds: number): void;
  /** A login to a host: `ok` or the error's code. */
  login(result: string): void;
  /** How much later than it should have been a heartbeat was sent, s. */
  heartbeat(lateSeconds: number): void;
}

/** The same recorder, which also counts. */
export function counted(recorder: CommandRecorder, metrics: ActivityMetrics | undefined): CommandRecorder {
  if (!metrics) return recorder;
  return {
    async begin(start) {
      const open = await recorder.begin(start);
      return {
        seq: open.seq,
        end(ended) {
          const seconds = (ended.endedAt.getTime() - start.startedAt.getTime()) / 1000;
          metrics.command(start.kind, ended.error ?? 'ok', seconds);
          return open.end(ended);
        },
      };
    },
  };
}
