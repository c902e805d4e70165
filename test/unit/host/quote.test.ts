import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quote, quoteArgv, withEnv } from '../../../activities/host/quote.ts';

/** Every character that some shell treats specially. */
const SPECIAL = `'"\\$\`!*?[]{}()<>|&;#~=% \t\n\r-`.split('');

/** Any text a Unix argument can hold: no NUL, and well-formed (the process boundary is UTF-8). */
const word = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    fc.string({ unit: fc.constantFrom(...SPECIAL), maxLength: 20 }),
    fc.constantFrom('', '-n', '--', '$(id)', '`id`', "'", "''", '\\', 'if', '{', '!', 'a=b', '~', '\n', '-', '=ls'),
  )
  .map((text) => text.replaceAll('\0', '').toWellFormed());

test('sh sees exactly the words that went in', () => {
  fc.assert(
    fc.property(fc.array(fc.array(word, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 8 }), (lists) => {
      // Several lists per shell: starting a process is what takes the time here.
      const script = lists.map((words) => `printf '%s\\0' ${quoteArgv(words)}\n`).join('');
      const run = spawnSync('sh', ['-c', script], { encoding: 'buffer' });
      expect(run.stderr.toString()).toBe('');
      expect(run.stdout).toEqual(
        Buffer.from(
          lists
            .flat()
            .map((text) => `${text}\0`)
            .join(''),
        ),
      );
    }),
    { numRuns: 100 },
  );
});

test('sh runs no reserved word and sets no variable from a quoted first word', () => {
  for (const program of ['if', 'for', 'a=b', '!', '{']) {
    const run = spawnSync('sh', ['-c', quoteArgv([program, 'x'])], { encoding: 'utf8' });
    expect(run.status, program).toBe(127);
  }
});

test('plain words stay readable', () => {
  expect(quoteArgv(['apt-get', 'install', '-y', '--option=Dpkg::Use-Pty=0', '/etc/a_b'])).toBe(
    'apt-get install -y --option=Dpkg::Use-Pty=0 /etc/a_b',
  );
  expect(quote("it's")).toBe(`'it'\\''s'`);
});

test('NUL is refused, and so are malformed variables and programs', () => {
  expect(() => quote('a\0b')).toThrow(/NUL/);
  expect(() => quoteArgv([])).toThrow(/empty/);
  for (const name of ['', '1A', 'A-B', 'A B', 'A=B', 'ä', 'A\n', 'LD_PRELOAD;id']) {
    expect(() => withEnv(['true'], { [name]: 'x' }), JSON.stringify(name)).toThrow(/environment variable/);
  }
  for (const program of ['', '-x', 'A=b']) expect(() => withEnv([program])).toThrow(/program|empty/);
});

test('env runs the program with the variables, for any values', () => {
  const argv = withEnv(['printenv', 'B', 'A'], { A: "x'y\nz", B: '$HOME' });
  expect(argv.slice(0, 3)).toEqual(['env', "A=x'y\nz", 'B=$HOME']);
  expect(spawnSync('sh', ['-c', quoteArgv(argv)], { encoding: 'utf8' }).stdout).toBe("$HOME\nx'y\nz\n");
});
