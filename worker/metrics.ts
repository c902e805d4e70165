import { Counter, Gauge, Histogram, type Registry } from '@prometheus-io/client';
import type { ActivityMetrics } from '../activities/metrics.ts';

/** Seconds; a phase takes from half a second to half an hour. */
const TASK_SECONDS = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];
const COMMAND_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Up to the default heartbeat timeout: later than that the task was lost. */
const LATE_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The worker's own metrics in its registry. `connections`: SSH connections that are open now. */
export function workerMetrics(registry: Registry, connections: () => number): ActivityMetrics {
  const registers = [registry];
  const running = new Gauge({ name: 'kubewright_tasks_running', help: 'Running tasks', registers });
  const tasks = new Counter({
    name: 'kubewright_tasks_total',
    help: 'Ended attempts of tasks, by phase and result (succeeded, or the error code)',
    labelNames: ['phase', 'result'],
    registers,
  });
  const taskSeconds = new Histogram({
    name: 'kubewright_task_duration_seconds',
    help: 'Duration of attempts of tasks',
    labelNames: ['phase'],
    buckets: TASK_SECONDS,
    registers,
  });
  new Gauge({
    name: 'kubewright_ssh_connections',
    help: 'Open SSH connections',
    registers,
    collect() {
      this.set(connections());
    },
  });
  const logins = new Counter({
    name: 'kubewright_ssh_logins_total',
    help: 'SSH logins, by result (ok, or the error code)',
    labelNames: ['result'],
    registers,
  });
  const commands = new Counter({
    name: 'kubewright_ssh_commands_total',
    help: 'Ended commands on hosts, by kind and result (ok, or the error code)',
    labelNames: ['kind', 'result'],
    registers,
  });
  const commandSeconds = new Histogram({
    name: 'kubewright_ssh_command_duration_seconds',
    help: 'Duration of commands on hosts',
    labelNames: ['kind'],
    buckets: COMMAND_SECONDS,
    registers,
  });
  const late = new Histogram({
    name: 'kubewright_heartbeat_delay_seconds',
    help: 'Delay of heartbeats of tasks',
    buckets: LATE_SECONDS,
    registers,
  });
  return {
    task(phase) {
      const started = performance.now();
      running.inc();
      return (result) => {
        running.dec();
        tasks.inc({ phase, result });
        taskSeconds.observe({ phase }, (performance.now() - started) / 1000);
      };
    },
    command(kind, result, seconds) {
      commands.inc({ kind, result });
      commandSeconds.observe({ kind }, Math.max(0, seconds));
    },
    login: (result) => logins.inc({ result }),
    heartbeat: (seconds) => late.observe(Math.max(0, seconds)),
  };
}
