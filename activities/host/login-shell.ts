/**
 * The one form of every command line that we send. sshd hands a line to the login shell of the user, and that may be sh,
 * csh, fish, zsh or another one: each has its own rules for `!`, backslashes, line ends and quotes inside quotes. So the
 * login shell gets words that all of them read alike: single quotes around printable ASCII without quote, backslash and
 * exclamation mark. What was encoded is a script for /bin/sh, which takes the place of the login shell.
 */

/** `printf %b` decodes its arguments and joins them; the locale may not join bytes to characters before that. */
const DECODE = `exec /bin/sh -c 'LC_ALL=C;export LC_ALL;eval "$(printf %b "$@")"' sh`;

/** csh takes at most 1,024 characters in a word. */
const WORD_CHARS = 900;

/**
 * First line of standard input. A start-up file may replace the login shell by another one (`exec zsh`), which then reads
 * our standard input as its script, as root: this line ends any shell. Our own wrapper takes it off before the command.
 */
export const STDIN_GUARD = 'exit 97\n';
/** Exit code of a shell that has read the guard. */
export const GUARD_READ = 97;
/** Exit code of our wrapper when the guard is gone: a start-up file has read from standard input. */
export const GUARD_MISSING = 96;

/** sh that takes the guard off. `read` takes single bytes from a pipe, so nothing after the line is lost. */
export const TAKE_GUARD = `IFS= read -r l&&[ "$l" = '${STDIN_GUARD.trim()}' ]||exit ${GUARD_MISSING};`;

/** A line that runs the text in /bin/sh, whatever the login shell is. The text may not end with a line end. */
export function loginShellLine(text: string): string {
  const words: string[] = [];
  let word = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const next = plain(byte) ? String.fromCharCode(byte) : `\\0${byte.toString(8).padStart(3, '0')}`;
    if (word.length + next.length > WORD_CHARS) {
      words.push(word);
      word = '';
    }
    word += next;
  }
  return `${DECODE}${[...words, word].map((each) => ` '${each}'`).join('')}`;
}

/** Printable ASCII without `'`, `\` and `!`. */
const plain = (byte: number): boolean =>
  byte >= 0x20 && byte <= 0x7e && byte !== 0x27 && byte !== 0x5c && byte !== 0x21;
