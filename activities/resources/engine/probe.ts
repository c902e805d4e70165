import { randomBytes } from 'node:crypto';
import { HOST_PATH } from '../../host/host-path.ts';
import { quote } from '../../host/quote.ts';
import type { RemoteHost } from '../../host/types.ts';
import { verifiedStamp } from '../paths.ts';
import { PROBE_FUNCTIONS } from '../probe-functions.ts';
import { type Resource, resourceKey } from '../resource.ts';
import { type Answer, answerOf } from '../unknown.ts';
import { kindOf } from './resource-kinds.ts';

/** The present state of a task's resources on a host. */
export interface Observations {
  /** By `kind:id`; each state in its kind's own shape. */
  readonly byResource: ReadonlyMap<string, Answer>;
  /** Digest of the desired state that the phase verified last; empty when it never did. */
  readonly verified: string;
}

/** One second per fragment is the rule; this is for hosts that swap. */
const PROBE_TIMEOUT_MS = 120_000;

/**
 * The script that reads everything. Fragments are kept apart by a marker that nothing on the host can guess, each in a
 * subshell of its own: one that fails yields nothing, which counts as unknown.
 */
export function probeScript(fragments: readonly string[], marker: string): string {
  const parts = fragments.map(
    (fragment, index) =>
      `printf '%s> %s\\n' "$M" ${index}\n(\n${fragment}\n) </dev/null 2>/dev/null || :\nprintf '\\n%s< %s\\n' "$M" ${index}\n`,
  );
  return `set +eu\nexport LC_ALL=C PATH=${HOST_PATH}\nM=${marker}\n${PROBE_FUNCTIONS}\n${parts.join('')}`;
}

/** Split the output of `probeScript` again; null where it broke off before the end of the fragment. */
export function splitProbe(output: string, count: number, marker: string): (string | null)[] {
  return Array.from({ length: count }, (_, index) => {
    const start = output.indexOf(`${marker}> ${index}\n`);
    if (start < 0) return null;
    const from = start + `${marker}> ${index}\n`.length;
    const end = output.indexOf(`\n${marker}< ${index}\n`, from - 1);
    if (end < 0) return null;
    return end < from ? '' : output.slice(from, end);
  });
}

/** A part of the probe script, and the resources that it reads. */
interface Reading {
  readonly of: readonly Resource[];
  readonly script: string;
  split: (output: string) => readonly string[];
}

/**
 * What there is to read: several resources of a kind together where the kind can, in the order of the first ones. `apart`:
 * each alone, which finds the one that cannot be read.
 */
function readings(resources: readonly Resource[], apart: boolean): Reading[] {
  const groups = new Map<unknown, Resource[]>();
  for (const resource of resources) {
    const key = kindOf(resource).together && !apart ? resource.kind : resource;
    groups.set(key, [...(groups.get(key) ?? []), resource]);
  }
  return [...groups.values()].map((of) => {
    const [first] = of as [Resource];
    const kind = kindOf(first);
    const { together } = kind;
    if (!together || of.length === 1) return { of, script: kind.probe(first, quote), split: (output) => [output] };
    return { of, script: together.probe(of, quote), split: (output) => together.split(output, of) };
  });
}

/** Why a fragment has no answer; null when it has one. Pure. */
function whyUnknown(output: string | null, marker: string): string | null {
  if (output === null) return 'the answer of the host broke off';
  const at = output.lastIndexOf(`\n${marker}? `);
  if (at >= 0) return output.slice(at + marker.length + 3).trim() || 'no reason given';
  return output.trim() === '' ? 'the probe said nothing' : null;
}

/** What one fragment learned of its resource. Pure. */
export function readAnswer(output: string | null, marker: string, resource: Resource): Answer {
  const why = whyUnknown(output, marker);
  return why === null ? answerOf(() => kindOf(resource).parse(output!, resource)) : { known: false, why };
}

/** Read the present state of all resources of a task: one script, one round trip, nothing is changed. */
export async function probe(
  remote: RemoteHost,
  resources: readonly Resource[],
  options: { phase: string; apart?: boolean },
): Promise<Observations> {
  const marker = `kw-${randomBytes(12).toString('hex')}`;
  const stamp = `cat -- ${quote(verifiedStamp(options.phase))}`;
  const parts = readings(resources, options.apart ?? false);
  const fragments = [stamp, ...parts.map(({ script }) => script)];
  const { stdout } = await remote.script(probeScript(fragments, marker), [], {
    timeoutMs: PROBE_TIMEOUT_MS,
    secrets: resources.flatMap((resource) => kindOf(resource).secrets?.(resource) ?? []),
  });
  const [verified = '', ...outputs] = splitProbe(stdout, fragments.length, marker);
  const byResource = new Map(
    parts.flatMap(({ of, split }, index) => {
      const output = outputs[index] ?? null;
      const why = whyUnknown(output, marker);
      const own = why === null ? split(output!) : [];
      return of.map((resource, at): [string, Answer] => [
        resourceKey(resource),
        why === null ? readAnswer(own[at] ?? '', marker, resource) : { known: false, why },
      ]);
    }),
  );
  return { byResource, verified: (verified ?? '').trim() };
}
