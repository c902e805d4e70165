import type { ClusterSpec } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Host } from '../../contracts/host.ts';
import type { Phase } from './phase.ts';

type Json = Record<string, unknown>;

const isPlainObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Objects merge key by key, anything else is replaced: what per-host overrides of kubelet.config need. */
export function deepMerge(base: Json, over: Json): Json {
  const merged: Json = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isPlainObject(below) && isPlainObject(value) ? deepMerge(below, value) : value;
  }
  return merged;
}

/** The options of a phase as written for a host: spec.phases, then the host's own over it. Not yet parsed. */
export function rawPhaseOptions(cluster: ClusterSpec, phase: string, host?: Host): Json {
  const own = (map: Record<string, Json>) => (Object.hasOwn(map, phase) ? map[phase]! : {});
  return deepMerge(own(cluster.spec.phases), host ? own(host.phases) : {});
}

/** Under which name a spec has the options of a phase. */
export const optionsName = ({ name, sharesOptionsWith }: Pick<Phase, 'name' | 'sharesOptionsWith'>): string =>
  sharesOptionsWith ?? name;

/** Parsed options of a phase on a host. Throws SPEC_INVALID with the place of each problem. */
export function phaseOptions(cluster: ClusterSpec, phase: Phase, host?: Host): unknown {
  const name = optionsName(phase);
  const parsed = phase.options.safeParse(rawPhaseOptions(cluster, name, host));
  if (parsed.success) return parsed.data;
  const where = host ? `host ${host.name}, phase ${name}` : `phase ${name}`;
  throw new KubewrightError('SPEC_INVALID', `the options of ${where} are invalid`, {
    phase: phase.name,
    host: host?.name,
    errors: parsed.error.issues.map((issue) => ({
      path: ['spec', 'phases', name, ...issue.path].join('.'),
      message: issue.message,
    })),
  });
}
