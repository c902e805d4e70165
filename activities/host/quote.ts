import { KubewrightError } from '../../contracts/errors.ts';

/** Characters that no POSIX shell reads as anything but themselves, anywhere in a word. */
const PLAIN = /^(-[A-Za-z0-9_@%+=:,./-]*|[A-Za-z0-9_@%+:,./-]+)$/;

/** Plain to look at, but not as the first word of a command (POSIX and bash). */
const RESERVED = /^(if|then|else|elif|fi|do|done|case|esac|while|until|for|in|time|select|function|coproc)$/;

/** POSIX names of environment variables. */
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * One word for a POSIX shell: whatever the text, the shell sees exactly this one word.
 * Throws INTERNAL for a NUL character, which no argument of a process can hold.
 */
export function quote(word: string): string {
  if (word.includes('\0')) throw new KubewrightError('INTERNAL', 'a command argument holds a NUL character');
  if (PLAIN.test(word) && !RESERVED.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line that a POSIX shell splits into exactly these words. Throws INTERNAL for an empty list. */
export function quoteArgv(argv: readonly string[]): string {
  if (argv.length === 0) throw new KubewrightError('INTERNAL', 'an empty command');
  return argv.map(quote).join(' ');
}

/**
 * The argv that runs `argv` with the variables set: `env K=V ... argv`. AcceptEnv of the host's sshd plays no part.
 * Throws INTERNAL for a malformed name, and for a program that `env` or a shell would read as something else.
 */
export function withEnv(argv: readonly string[], env: Readonly<Record<string, string>> = {}): string[] {
  const program = argv[0];
  if (program === undefined || program === '') throw new KubewrightError('INTERNAL', 'an empty command');
  if (program.startsWith('-') || program.includes('=')) {
    throw new KubewrightError('INTERNAL', `not a program name: ${program.slice(0, 80)}`);
  }
  const names = Object.keys(env).sort();
  for (const name of names) {
    if (!ENV_NAME.test(name)) {
      throw new KubewrightError('INTERNAL', `not an environment variable: ${name.slice(0, 80)}`);
    }
  }
  return names.length === 0 ? [...argv] : ['env', ...names.map((name) => `${name}=${env[name] ?? ''}`), ...argv];
}
