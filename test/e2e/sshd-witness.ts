import { createHash } from 'node:crypto';
import { STDIN_GUARD } from '../../activities/host/login-shell.ts';
import { execInHost } from '../../lab/faults.ts';
import type { Lab } from '../../lab/types.ts';
import { remoteScript } from '../support/remote-script.ts';

/** One command as sshd itself ran it. */
export interface Witnessed {
  host: string;
  /** Just what the client asked for; empty for a login shell. */
  line: string;
  /** sha256 of what came on standard input after the guard, hex. */
  stdinSha256: string;
  /** As a shell counts: 128 + number for a signal. Null: it never ended. */
  code: number | null;
}

const DIR = '/var/log/sshd-witness';
const WRAPPER = '/usr/local/lib/sshd-witness';

/**
 * In place of every command, shell and subsystem that a client asks for: keeps line, input and exit code, and runs it. In
 * a session of its own, as sshd would: who ends the command ends that session, and the witness lives to tell.
 */
const SCRIPT = `#!/bin/bash
at=${DIR}/$(date +%s%N)-$$
printf '%s' "\${SSH_ORIGINAL_COMMAND-}" >"$at.line"
tee "$at.stdin" | setsid -w bash -c "\${SSH_ORIGINAL_COMMAND-}"
code=\${PIPESTATUS[1]}
printf '%s' "$code" >"$at.exit"
exit "$code"
`;

const INSTALL = `
mkdir -p ${DIR}
printf '%s' "$1" >${WRAPPER}
chmod 755 ${WRAPPER}
mkdir -p /etc/ssh/sshd_config.d
printf 'ForceCommand %s\\nLogLevel VERBOSE\\nSubsystem sftp internal-sftp -l VERBOSE\\n' ${WRAPPER} >/etc/ssh/sshd_config.d/00-witness.conf
grep -q '^Include /etc/ssh/sshd_config.d' /etc/ssh/sshd_config || sed -i '1i Include /etc/ssh/sshd_config.d/*.conf' /etc/ssh/sshd_config
sed -i 's/^Subsystem/#Subsystem/' /etc/ssh/sshd_config
sshd -t
systemctl restart ssh.service
`;

/** The lab's sshd writes down every command from now on, without any help of Kubewright. */
export async function installWitness(lab: Lab): Promise<void> {
  await Promise.all(
    lab.hosts.map(async ({ name }) => {
      const { code, stderr } = await execInHost(lab, name, ['sh', '-euc', INSTALL, 'sh', SCRIPT]);
      if (code !== 0) throw new Error(`the witness on ${name}: ${stderr}`);
    }),
  );
}

/** What was asked of a host, in order, and what sshd's own log says of its sessions. */
export async function askWitness(lab: Lab, host: string): Promise<{ commands: Witnessed[]; log: string[] }> {
  const run = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await execInHost(lab, host, ['sh', '-euc', script]);
    if (code !== 0) throw new Error(`${host}: ${stderr}`);
    return stdout;
  };
  const rows = await run(`cd ${DIR}; for line in *.line; do
    at=\${line%.line}
    printf '%s %s %s\\n' "$(tail -c +${STDIN_GUARD.length + 1} "$at.stdin" | sha256sum | cut -c1-64)" "$(cat "$at.exit" 2>/dev/null || echo -)" "$(base64 -w0 <"$line")"
  done`);
  const commands = rows
    .trimEnd()
    .split('\n')
    .map((row) => {
      const [stdinSha256 = '', code = '-', line = ''] = row.split(' ');
      return {
        host,
        line: Buffer.from(line, 'base64').toString('utf8'),
        stdinSha256,
        code: code === '-' ? null : Number(code),
      };
    });
  const log = (await run('journalctl -t sshd -t sshd-session --no-pager --output cat')).split('\n');
  return { commands, log };
}

export const EMPTY_SHA256 = createHash('sha256').digest('hex');

/** A line of sh words, split as sh does. Throws for anything but words: no operator, variable or glob belongs there. */
export function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < line.length; ) {
    const rest = line.slice(at);
    const part = /^'([^']*)'/.exec(rest) ?? /^\\(.)/s.exec(rest) ?? /^([A-Za-z0-9_%+,./:=@^-]+)/.exec(rest);
    if (part) {
      word = (word ?? '') + part[1]!;
      at += part[0].length;
    } else if (rest.startsWith(' ')) {
      if (word !== null) words.push(word);
      word = null;
      at += 1;
    } else {
      throw new Error(`not a plain word at ${at}: ${rest.slice(0, 60)}`);
    }
  }
  return word === null ? words : [...words, word];
}

/**
 * The program and arguments that a line runs, without our wrapper around them: the last line that begins in the script is
 * `exec /usr/bin/env -i K=V... sh -c SCRIPT sh MARK ...`, and SCRIPT drops its own arguments by `shift`: as many as it says.
 */
export function programOf(line: string): string[] {
  const [, last = ''] = /^[^\n]*\n(.*)$/s.exec(remoteScript(line)) ?? [];
  const words = shellWords(last);
  if (words[0] !== 'exec') throw new Error(`not one of our lines: ${last.slice(0, 100)}`);
  const inner = words.slice(1);
  if (inner[0] === '/usr/bin/env' && inner[1] === '-i')
    inner.splice(
      0,
      inner.findIndex((word) => word === 'sh'),
    );
  const [shell, flag, script = '', , ...args] = inner;
  if (shell !== 'sh' || flag !== '-c' || !/^kw-[0-9a-f]{18}$/.test(args[0] ?? '')) return inner;
  const shifts = [...script.matchAll(/\bshift(?: (\d+))?(?=;|$)/g)].map(([, count]) => Number(count ?? 1));
  return args.slice(shifts.reduce((sum, count) => sum + count, 0));
}
