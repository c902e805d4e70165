import { KubewrightError } from '../../contracts/errors.ts';
import type { CauseLook } from '../phases/cause-look.ts';
import type { Phase } from '../phases/phase.ts';
import { providesOf, resolveNeeds } from '../phases/provides.ts';

/**
 * The cause that another phase knows for the error of a task, in its place: a task behind etcd that fails while etcd has no
 * majority fails of that. The error itself stays in the evidence. Returns the error where no phase knows better, or where
 * asking fails: what a task says of itself is never lost.
 */
export async function rootCause(
  thrown: unknown,
  of: { phases: readonly Phase[]; phase: Phase; look: CauseLook },
): Promise<unknown> {
  if (!KubewrightError.is(thrown)) return thrown;
  for (const other of of.phases) {
    if (!other.explains?.codes.includes(thrown.code) || !dependsOn(of.phase, other, of.phases)) continue;
    try {
      const cause = await other.explains.cause(of.look);
      if (!cause) continue;
      const evidence = `${cause.evidence ?? ''}\n${of.phase.name} failed with ${thrown.code}: ${thrown.message}`;
      return new KubewrightError(cause.code, cause.message, { evidence, cause: thrown });
    } catch {
      return thrown;
    }
  }
  return thrown;
}

/** True of the phase itself, of one behind it in the graph, and of what goes through a control plane, which is behind all of it. Pure. */
export function dependsOn(phase: Phase, on: Phase, phases: readonly Phase[]): boolean {
  if (phase.name === on.name || phase.hosts === 'one-control-plane') return true;
  const seen = new Set<string>();
  const behind = (each: Phase): boolean => {
    if (seen.has(each.name)) return false;
    seen.add(each.name);
    return resolveNeeds(each, phases).some(({ phase: name }) => {
      if (name === on.name || providesOf(on).includes(name)) return true;
      const needed = phases.find((other) => other.name === name);
      return needed !== undefined && behind(needed);
    });
  };
  return behind(phase);
}
