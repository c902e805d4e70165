import { z } from 'zod';
import type { PhaseFolder } from './folders.ts';

/** Flags of a daemon beyond ours, or in place of ours: name without dashes → value. */
export const extraArgs = z
  .record(z.string().regex(/^[a-z][a-z0-9-]{0,79}$/, 'must be a flag without its dashes'), z.string().max(1000))
  .default({})
  .describe('More flags; they override those of Kubewright');

/** A configuration file of Kubernetes, merged over ours key by key; what may stand in it is the daemon's to judge. */
export const configOverrides = z
  .record(z.string().max(100), z.unknown())
  .default({})
  .describe('Settings that are merged over the configuration file, key by key');

/** Flags of Kubernetes that name a folder, or a file, which the daemon writes; `config-dir` is only read. */
const WRITTEN = /^(?!config-dir$)(.*-dir|audit-log-path|log-file|write-config-to)$/;

/** What further flags make a daemon write to. `at`: the option of the flags; `within`: where its phase lets it. */
export function flagFolders(
  flags: Readonly<Record<string, string>>,
  at: readonly string[],
  within: readonly string[],
): PhaseFolder[] {
  return Object.entries(flags).flatMap(([flag, path]) =>
    // `-` is the standard output.
    WRITTEN.test(flag) && path !== '-' ? [{ path, option: [...at, flag], within }] : [],
  );
}

/** The same of a configuration file: values of these keys (from the top down), where they are texts. */
export function configFolders(
  config: unknown,
  { keys, at, within }: { keys: readonly (readonly string[])[]; at: readonly string[]; within: readonly string[] },
): PhaseFolder[] {
  return keys.flatMap((key) => {
    const value = key.reduce<unknown>((table, part) => (isTable(table) ? table[part] : undefined), config);
    return typeof value === 'string' ? [{ path: value, option: [...at, ...key], within }] : [];
  });
}

export const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
