import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { makeCgroups } from './cgroups.ts';
import { type ProcessId, processId } from './processes.ts';

/** Moves itself into the cgroups given before `--`, then becomes the command after it. */
const ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift; exec "$@"';

/**
 * Starts a command that outlives this process, in cgroups of the given name: cleanup after a killed run finds
 * it, and all its children, by that name. Output goes to `logFile`. Null when it ended at once.
 */
export async function spawnInCgroups(
  name: string,
  argv: readonly string[],
  logFile: string,
): Promise<ProcessId | null> {
  const cgroups = await makeCgroups(name);
  const log = await open(logFile, 'w');
  try {
    const child = spawn('/bin/sh', ['-c', ENTER, 'sh', ...cgroups, '--', ...argv], {
      detached: true,
      cwd: '/',
      stdio: ['ignore', log.fd, log.fd],
    });
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    child.unref();
    return child.pid === undefined ? null : await processId(child.pid);
  } finally {
    await log.close();
  }
}
