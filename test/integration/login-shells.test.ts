import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { commandLine } from '../../activities/host/command-line.ts';
import { STDIN_GUARD } from '../../activities/host/login-shell.ts';
import { ensureDebianPackages } from '../../lab/debian.ts';

/** Shells that people log in with, and how each is asked to run a line, as sshd does. `csh` is the old one of BSD. */
const SHELLS: Readonly<Record<string, string[]>> = {
  sh: ['sh', '-c'],
  bash: ['bash', '-c'],
  dash: ['dash', '-c'],
  zsh: ['zsh', '-c'],
  'zsh with rcquotes': ['zsh', '-o', 'rcquotes', '-o', 'extendedglob', '-o', 'banghist', '-c'],
  tcsh: ['tcsh', '-c'],
  csh: ['bsd-csh', '-c'],
  fish: ['fish', '-c'],
  ksh: ['ksh', '-c'],
  mksh: ['mksh', '-c'],
  busybox: ['busybox', 'sh', '-c'],
};
const NASTY = [
  ...['', '!', '!!', '!$', '!-1', '^a^b^', "'", '"', '\\', '\\!', '\\\n', '\n', 'a\nb\n', '\t\r', '%b%s', '\\0101\\c'],
  ...[
    '$HOME',
    '$(id)',
    '`id`',
    '${x}',
    '{a,b}',
    '*',
    '?',
    '[a]',
    '~',
    '~root',
    '#x',
    ';',
    '&&',
    '|',
    '<',
    '>',
    '(',
    ')',
  ],
  ...[
    '=ls',
    '@',
    '-n',
    'é€中🦀',
    '\u0001\u007f',
    "''",
    "it's",
    '$#argv',
    '%1',
    'x'.repeat(3000),
    `${"'!\\\n".repeat(400)}`,
  ],
];

beforeAll(async () => {
  await ensureDebianPackages(['tcsh', 'csh', 'fish', 'zsh', 'ksh93u+m', 'mksh', 'busybox']);
}, 300_000);

/** What a program gets as arguments and input when the shell is the login shell. */
function through(shell: string[], words: readonly string[], input: string): { words: string[]; input: string } {
  const program = 'echo $#; printf "%s\\0" "$@"; cat';
  const { line, nonce } = commandLine(['sh', '-c', program, 'sh', ...words], { kind: 'none' });
  const [command = '', ...args] = shell;
  const { stdout, stderr } = spawnSync(command, [...args, line], {
    input: `${STDIN_GUARD}${input}`,
    encoding: 'utf8',
    // Start-up files of the user who runs this test are not read.
    env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
  });
  expect(stderr).toContain(`${nonce}\n`);
  const [report = '', count = ''] = /^kw-[^\n]*\n(\d+)\n/.exec(stdout) ?? [];
  expect(report).not.toBe('');
  const parts = stdout.slice(report.length).split('\0');
  return { words: parts.slice(0, Number(count)), input: parts.slice(Number(count)).join('\0') };
}

test.each(Object.entries(SHELLS))('%s as login shell: arguments and input come as they were given', (_name, shell) => {
  expect(through(shell, NASTY, 'in\nput!')).toEqual({ words: NASTY, input: 'in\nput!' });
  const word = fc
    .string({ unit: 'binary', maxLength: 30 })
    .filter((text) => text.isWellFormed() && !text.includes('\0'));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      expect(through(shell, words, 'x').words).toEqual(words);
    }),
    { numRuns: 30 },
  );
});

test.each(Object.entries(SHELLS))('%s in place of the login shell runs nothing of standard input', (_name, shell) => {
  const [command = '', ...args] = shell.slice(0, -1);
  const { status, stdout } = spawnSync(command, args, { input: `${STDIN_GUARD}echo ran\n`, encoding: 'utf8' });
  expect(stdout).toBe('');
  // fish reads no script from a socket at all, which is what sshd and Node give.
  expect(status).toBe(command === 'fish' ? 127 : 97);
});
