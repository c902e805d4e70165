import { type LogEntry, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { Logger as Pino } from 'pino';

/** Temporal's level names as pino's. What it calls info is its own life: of interest only when it misbehaves. */
const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'debug', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Temporal's native runtime with our log. Once per process and before any worker or connection; our own signal handling
 * stays in charge, so that the service can stop its parts in order. `metricsAddress`: host:port where the core exports its
 * own metrics, to be had on loopback only, for this process reads them there.
 */
export function installRuntime(logger: Pino, metricsAddress: string | null = null): void {
  const log = logger.child({ part: 'temporal' });
  const write = (level: keyof typeof LEVELS, message: string, meta: object = {}) => log[LEVELS[level]](meta, message);
  Runtime.install({
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) },
      ...(metricsAddress === null ? {} : { metrics: { prometheus: { bindAddress: metricsAddress } } }),
    },
    logger: {
      log: (level: LogEntry['level'], message: string, meta) => write(level, message, meta),
      trace: (message: string, meta) => write('TRACE', message, meta),
      debug: (message: string, meta) => write('DEBUG', message, meta),
      info: (message: string, meta) => write('INFO', message, meta),
      warn: (message: string, meta) => write('WARN', message, meta),
      error: (message: string, meta) => write('ERROR', message, meta),
    },
  });
}
