import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandLine, endLine } from '../../../activities/host/command-line.ts';
import { loginShellLine, STDIN_GUARD } from '../../../activities/host/login-shell.ts';
import { notStartedBecause } from '../../../activities/host/not-started.ts';
import { StderrStart } from '../../../activities/host/report-line.ts';
import { remoteScript } from '../../support/remote-script.ts';

const anyWord = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => text.isWellFormed() && !text.includes('\0')),
  fc.constantFrom('', '!', '!!', '!$', "'", '\\', '\\!', '\n', '%b', '\\0101', '$(reboot)', '`id`', '~', '#', '^x^y'),
);
const anyLine = fc.array(anyWord, { minLength: 1, maxLength: 6 });

test('a line has no syntax that login shells read differently, and words that csh accepts', () => {
  fc.assert(
    fc.property(anyLine, fc.constantFrom('none', 'sudo'), (words, kind) => {
      const { line } = commandLine(['printf', '%s\\0', ...words], { kind });
      // `remoteScript` throws for another form: quotes, `!`, backslashes and line ends are what shells differ in.
      expect(remoteScript(line)).toContain('\n');
      expect(line).toMatch(/^[ -~]*$/);
      expect(line.split(' ').every((word) => word.length <= 1000)).toBe(true);
    }),
  );
});

test('a line encodes bytes, not characters, and is never cut inside one', () => {
  const text = `${'x'.repeat(898)}é\n!`.repeat(3);
  expect(remoteScript(loginShellLine(text))).toBe(text);
});

test('commands take the guard off standard input first, and do not run without it', () => {
  const { line, nonce } = commandLine(['cat'], { kind: 'none' });
  const run = (input: string) => spawnSync('sh', ['-c', line], { input, encoding: 'utf8' });
  expect(run(`${STDIN_GUARD}mine\n`)).toMatchObject({ status: 0, stderr: `${nonce}\n` });
  expect(run(`${STDIN_GUARD}mine\n`).stdout).toMatch(/^kw-[0-9a-f]{18}( \d+){5}\nmine\n$/);
  for (const input of ['', 'mine\n', `x${STDIN_GUARD}mine\n`, 'exit 97 \nmine\n']) {
    expect(run(input)).toMatchObject({ status: 96, stdout: '', stderr: '' });
  }
});

test('the guard ends a shell that would run its standard input', () => {
  for (const shell of ['sh', 'bash']) {
    const run = spawnSync(shell, [], { input: `${STDIN_GUARD}echo ran\n`, encoding: 'utf8' });
    expect(run).toMatchObject({ status: 97, stdout: '' });
  }
});

test('lines that end a command have the same form', () => {
  const target = { pid: 5, parent: 4, group: 5, session: 5, startTime: 7 };
  const { line, stdin } = endLine(target, { kind: 'sudo-password', password: 'secret' });
  expect(remoteScript(line)).toMatch(/\nexec sudo -S -p '' -- \/usr\/bin\/env -i /);
  expect(stdin).toBe(`${STDIN_GUARD}secret\n`);
});

test('standard error begins after the marker, for any packet boundaries; without a marker all of it counts', () => {
  const noise = 'stty: standard input: Inappropriate ioctl for device\nkw-1 5 5\n';
  const read = (text: string, at: number): string => {
    const passed: Buffer[] = [];
    const start = new StderrStart('kw-1', (chunk) => passed.push(chunk));
    start.push(Buffer.from(text.slice(0, at)));
    start.push(Buffer.from(text.slice(at)));
    start.end();
    return Buffer.concat(passed).toString();
  };
  const text = `${noise}kw-1\nreal\n`;
  for (let at = 0; at <= text.length; at += 1) expect(read(text, at)).toBe('real\n');
  expect(read(noise, 5)).toBe(noise);
});

test.each([
  ['This account is currently not available.\n', 1, false, 'LOGIN_SHELL_UNUSABLE', /nologin/],
  ['rbash: line 1: exec: restricted\n', 1, false, 'LOGIN_SHELL_UNUSABLE', /restricted shell/],
  [
    'Please login as the user "debian" rather than the user "root".\n\n',
    142,
    false,
    'LOGIN_SHELL_UNUSABLE',
    /log in as debian$/,
  ],
  ['open terminal failed: not a terminal\n', 1, false, 'LOGIN_SHELL_UNUSABLE', /tmux/],
  ['Must be connected to a terminal.\n', 1, false, 'LOGIN_SHELL_UNUSABLE', /tmux or screen/],
  ['This service allows sftp connections only.\n', 1, false, 'LOGIN_SHELL_UNUSABLE', /sftp/],
  ['', 97, false, 'LOGIN_SHELL_UNUSABLE', /another shell in place of our command/],
  ['', 96, false, 'LOGIN_SHELL_UNUSABLE', /reads from standard input/],
  ['', 0, false, 'LOGIN_SHELL_UNUSABLE', /ended \(code 0\) without running them/],
  [
    'WARNING: Your password has expired.\nPassword change required but no TTY available.\n',
    1,
    false,
    'SSH_PASSWORD_EXPIRED',
    /has expired/,
  ],
  [
    'You are required to change your password immediately (administrator enforced).\n',
    1,
    false,
    'SSH_PASSWORD_EXPIRED',
    /has expired/,
  ],
  [
    'sudo: Account or password is expired, reset your password and try again\n',
    1,
    true,
    'SSH_PASSWORD_EXPIRED',
    /expired/,
  ],
  ['sudo: sorry, you must have a tty to run sudo\n', 1, true, 'SUDO_REFUSED', /requiretty/],
  ['sudo: a password is required\n', 1, true, 'SUDO_REFUSED', /asks for a password/],
  ['sudo: 1 incorrect password attempt\n', 1, true, 'SUDO_REFUSED', /does not take the password/],
  ['ops is not in the sudoers file.\n', 1, true, 'SUDO_REFUSED', /does not allow this user/],
  ['sh: 2: exec: sudo: not found\n', 127, true, 'SUDO_REFUSED', /not installed/],
  ['sudo: something new\n', 1, true, 'SUDO_REFUSED', /sudo refused/],
  ['', 1, true, 'LOGIN_SHELL_UNUSABLE', /ended \(code 1\)/],
] as const)('a login with the output %j (code %s) has its own error', (output, code, elevated, verdict, says) => {
  const error = notStartedBecause({ where: 'n1 (ops@10.0.0.1, port 22)', command: 'a script', elevated, code, output });
  expect(error.code).toBe(verdict);
  expect(error.message).toMatch(/^n1 \(ops@10\.0\.0\.1, port 22\) does not run our commands: /);
  expect(error.message).toMatch(says);
  expect(error.evidence).toContain(output.trim() || 'it printed nothing');
  expect(error.evidence).toContain(`exit code ${code} before a script was started`);
});
