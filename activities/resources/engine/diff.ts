import type { Change } from '../../../contracts/operation.ts';
import type { HostFacts } from '../../host/types.ts';
import { digestOfParts } from '../digest.ts';
import { type DiffContext, type Resource, resourceKey } from '../resource.ts';
import type { Observations } from './probe.ts';
import { kindOf } from './resource-kinds.ts';

/** What is to be done. */
export interface Difference {
  readonly changes: Change[];
  /** Only resources that differ, in order. */
  readonly perResource: ReadonlyMap<string, readonly Change[]>;
  readonly context: DiffContext;
}

/** A part of the list of resources, and what was changed before it. */
export interface Stretch {
  readonly from: number;
  /** Not with it. */
  readonly to: number;
  readonly changed: ReadonlySet<string>;
}

/**
 * Compare what should be with what is. Pure. Includes the restarts that follow from other changes: a service comes
 * after its files in the list. What is unknown is a difference of its own.
 * Throws an Error for a programming mistake: two resources with one name, or a restart on something unknown.
 */
export function diff(
  resources: readonly Resource[],
  observations: Observations,
  facts: HostFacts,
  stretch: Stretch = { from: 0, to: resources.length, changed: new Set() },
): Difference {
  const names = new Map<string, Resource>();
  for (const resource of resources) {
    const key = resourceKey(resource);
    if (names.has(key)) throw new Error(`two resources named ${key}`);
    names.set(key, resource);
  }
  const find = resolver(resources);
  const changed = new Set<string>(stretch.changed);
  const context: DiffContext = {
    facts,
    changed,
    digestOf: (references) =>
      digestOfParts(
        references.flatMap((reference) =>
          find(reference).flatMap((resource) => [resourceKey(resource), kindOf(resource).digest(resource)]),
        ),
      ),
    anyChanged: (references) =>
      references.some((reference) => find(reference).some((resource) => changed.has(resourceKey(resource)))),
  };
  const perResource = new Map<string, readonly Change[]>();
  for (const resource of resources.slice(stretch.from, stretch.to)) {
    const key = resourceKey(resource);
    const answer = observations.byResource.get(key);
    const changes = answer?.known
      ? kindOf(resource).diff(resource, answer.state, context)
      : [{ resource: key, action: 'update' as const, detail: cannotCompare(answer?.why) }];
    if (changes.length === 0) continue;
    changed.add(key);
    perResource.set(key, changes);
  }
  return { changes: [...perResource.values()].flat(), perResource, context };
}

const cannotCompare = (why = 'not asked'): string => `cannot be compared now: ${why.slice(0, 300)}`;

/** Finds the resources that a reference names: `kind:id`, or a path that they provide. */
export function resolver(resources: readonly Resource[]): (reference: string) => readonly Resource[] {
  const index = new Map<string, Resource[]>();
  for (const resource of resources) {
    const provided = kindOf(resource).provides?.(resource) ?? [resource.id];
    for (const name of new Set([resourceKey(resource), ...provided])) {
      index.set(name, [...(index.get(name) ?? []), resource]);
    }
  }
  return (reference) => {
    const found = index.get(reference);
    if (!found) throw new Error(`restartOn names ${reference}, which no resource of the task provides`);
    return found;
  };
}

/** Digest of everything that a phase desires on a host; `identity` covers what is not in its resources. */
export function desiredDigest(resources: readonly Resource[], phase: string, identity: string): string {
  return digestOfParts([
    phase,
    identity,
    ...resources.flatMap((resource) => [resourceKey(resource), kindOf(resource).digest(resource)]),
  ]);
}
