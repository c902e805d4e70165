import { execInHost } from '../../../lab/faults.ts';
import type { Lab } from '../../../lab/lab.ts';
import type { Row } from './journal.ts';

/** What sshd logs of each command that a connection starts. */
const SESSION = 'Starting session: command for ';

/** Lets the sshd of every host log each command that it starts: a witness that knows nothing of our journal. */
export async function countSessions(lab: Lab): Promise<void> {
  const script = `echo 'LogLevel VERBOSE' >/etc/ssh/sshd_config.d/00-count-sessions.conf && systemctl reload ssh.service`;
  for (const { name } of lab.hosts) {
    const { code, stderr } = await execInHost(lab, name, ['sh', '-c', script]);
    if (code !== 0) throw new Error(`sshd of ${name} does not log its sessions: ${stderr}`);
  }
}

/** Commands that sshd started on each host since the lab stands. */
export async function sessionsOf(lab: Lab): Promise<Map<string, number>> {
  const script = `journalctl -q -o cat -u ssh.service _COMM=sshd | grep -c '${SESSION}' || :`;
  const counts = await Promise.all(
    lab.hosts.map(async ({ name }) => {
      const { stdout } = await execInHost(lab, name, ['sh', '-c', script]);
      return [name, Number(stdout.trim())] as const;
    }),
  );
  return new Map(counts);
}

/**
 * Hosts on which more commands were started, beyond those of `before`, than the journal has. A command that was cut off or stopped may have cost
 * one more: the line that ends what it left running.
 */
export function unreported(
  sessions: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
  rows: readonly Row[],
): string[] {
  return [...sessions].flatMap(([host, all]) => {
    const count = all - (before.get(host) ?? 0);
    const own = rows.filter((row) => row.host === host);
    const cut = own.filter(({ endedAt, error }) => endedAt === null || error !== null).length;
    return count > own.length + cut
      ? [`sshd of ${host} started ${count} commands, the journal has ${own.length} (${cut} of them cut off)`]
      : [];
  });
}
