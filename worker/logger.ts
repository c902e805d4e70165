import { type DestinationStream, type Logger, pino } from 'pino';

/** Log lines kept while they cannot be written, bytes. Later ones are dropped and counted. */
const KEPT_BYTES = 1024 * 1024;
const STDOUT = 1;

/**
 * The logger of a process. A log that cannot be written (full disk, closed pipe) does not end the process: lines are
 * kept up to KEPT_BYTES, and the number of dropped ones is logged with the first that can be written again.
 * `fd`: where to, standard output by default.
 */
export function createLogger(
  options: { level: string; base?: { process: string } | null },
  fd: number = STDOUT,
): Logger {
  const destination = pino.destination({ fd, sync: true, maxLength: KEPT_BYTES });
  let dropped = 0;
  const logger = pino(options, destination as DestinationStream);
  // The one place that has nowhere to report to: what failed is the log itself.
  destination.on('error', () => undefined);
  destination.on('drop', () => {
    dropped += 1;
  });
  destination.on('write', () => {
    if (dropped === 0) return;
    const lines = dropped;
    dropped = 0;
    // Not inside the write that has just succeeded.
    setImmediate(() => logger.warn({ lines }, 'the process dropped log lines while it could not write its log'));
  });
  return logger;
}
