/**
 * Options of a phase that reach what the roles promise (who may log in to the cluster, what is recorded, who holds its
 * secrets). They change only by role admin, or by a policy of the cluster; a phase declares them beside its options.
 */
export interface Guard {
  /** The option, its keys joined by dots: `apiServer.extraArgs`. */
  option: string;
  /**
   * Of a map: the keys that every token may set; all others are guarded, those that a later version brings included. An
   * expression fits whole keys; `value` says which values of the key are free.
   */
  free?: readonly (string | RegExp | { key: string; value: RegExp })[];
  /** Of a number: the largest one that every token may set. */
  upTo?: number;
}

type Json = Record<string, unknown>;

const isMap = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The guarded values in raw options of a phase, by their place below the options. Pure. */
export function guardedValues(guards: readonly Guard[], options: Json): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const { option, free, upTo } of guards) {
    let value: unknown = options;
    for (const key of option.split('.')) value = isMap(value) && Object.hasOwn(value, key) ? value[key] : undefined;
    if (value === undefined || (upTo !== undefined && typeof value === 'number' && value <= upTo)) continue;
    if (!free || !isMap(value)) {
      found.set(option, value);
      continue;
    }
    for (const [key, each] of Object.entries(value)) {
      if (!free.some((rule) => isFree(rule, key, each))) found.set(`${option}.${key}`, each);
    }
  }
  return found;
}

function isFree(rule: NonNullable<Guard['free']>[number], key: string, value: unknown): boolean {
  if (typeof rule === 'string') return rule === key;
  if (rule instanceof RegExp) return rule.exec(key)?.[0] === key;
  return rule.key === key && typeof value === 'string' && rule.value.exec(value)?.[0] === value;
}
