import { type Problem, problemText } from '../../audit/problem.ts';

/** What both checks of the audit say at the end of their help. */
export const EXIT_CODES = `
Exit code 0: nothing was changed, and a given key signed it. 1: the first line names the first bad record (CHANGED: ...),
or nothing could be checked (then the message is on standard error). 2: it is internally consistent, and no key was given
to compare its signer with: its maker may have made the key too.`;

/** Exit codes of `audit verify` and `audit check`. */
export const EXIT = { unchanged: 0, changed: 1, signerUnknown: 2 } as const;

/** `SHA256:` and a sha256 in base64 without padding. */
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;

/** A fingerprint as it was given on the command line. Throws when it is none. */
export function fingerprintArgument(text: string): string {
  const trimmed = text.trim().replace(/=$/, '');
  if (!FINGERPRINT.test(trimmed)) throw new Error('a fingerprint is SHA256: and 43 characters of base64');
  return trimmed;
}

/** The first problem by itself, then what else there is. */
export function printProblems(problems: readonly Problem[]): void {
  const [first, ...rest] = problems.map(problemText);
  print(`CHANGED: ${first!}`);
  for (const each of rest) print(`  also: ${each}`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
