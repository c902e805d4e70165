import { run } from './run.ts';

/** CLI that we pin, and the server inside it. */
export const TEMPORAL_CLI_VERSION = '1.9.1';

/** Oldest server that our workflows are tested against: what `go install` of the last installable CLI brings. */
export const OLDEST_SERVER = '1.29.0';

export interface TemporalVersion {
  /** Version of the `temporal` program. */
  cli: string;
  /** Version of the server inside it: it decides the database schema. */
  server: string;
}

/** Parse `temporal version 1.9.1 (Server 1.32.0, UI 2.54.1)`. Null when the text is something else. */
export function parseVersion(text: string): TemporalVersion | null {
  const match = /temporal version v?(\d+\.\d+\.\d+)\S*\s+\(Server (\d+\.\d+\.\d+)/.exec(text);
  return match ? { cli: match[1]!, server: match[2]! } : null;
}

/** Version of a program, or null when it is not a `temporal` that we can use. */
export async function versionOf(path: string): Promise<TemporalVersion | null> {
  try {
    const { stdout } = await run([path, '--version'], { timeoutMs: 20_000 });
    return parseVersion(stdout);
  } catch {
    return null;
  }
}

/** True when `version` is at least `floor`; both plain x.y.z. */
export function isAtLeast(version: string, floor: string): boolean {
  const parts = (text: string) => text.split('.').map(Number);
  const [left, right] = [parts(version), parts(floor)];
  for (let index = 0; index < 3; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
