import { randomBytes } from 'node:crypto';
import { quote } from '../host/quote.ts';
import type { RemoteHost } from '../host/types.ts';
import { HOST_PATH } from './batch-script.ts';
import { verifiedStamp } from './paths.ts';
import { type Resource, resourceKey } from './resource.ts';
import { kindOf } from './resource-kinds.ts';

/** The present state of a task's resources on a host. */
export interface Observations {
  /** By `kind:id`; each in its kind's own shape. */
  readonly byResource: ReadonlyMap<string, unknown>;
  /** Digest of the desired state that the phase verified last; empty when it never did. */
  readonly verified: string;
}

/** One second per fragment is the rule; this is for hosts that swap. */
const PROBE_TIMEOUT_MS = 120_000;

/**
 * The script that reads everything. Fragments are kept apart by a marker that nothing on the host can guess, each in a
 * subshell of its own: one that fails yields nothing, which its kind reports as a difference.
 */
export function probeScript(fragments: readonly string[], marker: string): string {
  const parts = fragments.map(
    (fragment, index) =>
      `printf '%s> %s\\n' "$M" ${index}\n(\n${fragment}\n) </dev/null 2>/dev/null || :\nprintf '\\n%s< %s\\n' "$M" ${index}\n`,
  );
  return `set +eu\nexport LC_ALL=C PATH=${HOST_PATH}\nM=${marker}\n${parts.join('')}`;
}

/** Split the output of `probeScript` again; a fragment without output (or cut off) is empty. */
export function splitProbe(output: string, count: number, marker: string): string[] {
  return Array.from({ length: count }, (_, index) => {
    const start = output.indexOf(`${marker}> ${index}\n`);
    if (start < 0) return '';
    const from = start + `${marker}> ${index}\n`.length;
    const end = output.indexOf(`\n${marker}< ${index}\n`, from - 1);
    return end < from ? '' : output.slice(from, end);
  });
}

/** Read the present state of all resources of a task: one script, one round trip, nothing is changed. */
export async function probe(
  remote: RemoteHost,
  resources: readonly Resource[],
  options: { phase: string },
): Promise<Observations> {
  const marker = `kw-${randomBytes(12).toString('hex')}`;
  const stamp = `cat -- ${quote(verifiedStamp(options.phase))}`;
  const fragments = [stamp, ...resources.map((resource) => kindOf(resource).probe(resource, quote))];
  const { stdout } = await remote.script(probeScript(fragments, marker), [], {
    timeoutMs: PROBE_TIMEOUT_MS,
    secrets: resources.flatMap((resource) => kindOf(resource).secrets?.(resource) ?? []),
  });
  const [verified = '', ...outputs] = splitProbe(stdout, fragments.length, marker);
  const byResource = new Map(
    resources.map((resource, index) => [resourceKey(resource), kindOf(resource).parse(outputs[index] ?? '', resource)]),
  );
  return { byResource, verified: verified.trim() };
}
