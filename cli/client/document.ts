import { readFileSync } from 'node:fs';
import { CLI_EXIT } from './exit-codes.ts';
import { CliError } from './explain.ts';

/** A file that the caller names; `-` is standard input. Throws CliError. */
export function readInput(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${(error as Error).message}`, CLI_EXIT.usage, { cause: error });
  }
}

/** Seconds or minutes as `90s`, `10m`, `1h`; ms. Throws CliError. */
export function durationOf(text: string): number {
  const [, amount, unit] = /^(\d{1,6})(s|m|h)$/.exec(text) ?? [];
  if (amount === undefined) throw new CliError(`${text} is no duration such as 90s, 10m or 1h`, CLI_EXIT.usage);
  return Number(amount) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h'];
}
