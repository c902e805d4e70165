import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { KubewrightError } from '../../contracts/errors.ts';
import { needsOf } from './needs.ts';
import type { Phase } from './phase.ts';
import { offeredCapabilities, providesOf, yieldToNamed } from './provides.ts';

/** Every phase, ordered so that each comes after what it needs. Throws INTERNAL when the phases do not fit together. */
export async function loadPhases(): Promise<Phase[]> {
  return sortPhases(await scanPhases());
}

/**
 * The phases of a folder (default: this one): the default exports of its files and of `phase.ts` in its folders that were
 * made by `definePhase`. Adding a phase is adding a file or a folder; the shared files beside them have no default export.
 */
export async function scanPhases(folder: URL = new URL('./', import.meta.url)): Promise<Phase[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries.flatMap((entry) => {
    if (entry.isDirectory()) {
      const file = new URL(`${entry.name}/phase.ts`, folder);
      return existsSync(file) ? [file.href] : [];
    }
    const isSource = entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts');
    return isSource ? [new URL(entry.name, folder).href] : [];
  });
  const modules = await Promise.all(files.sort().map((file) => import(file) as Promise<{ default?: unknown }>));
  return modules.flatMap((module) => (isPhase(module.default) ? [module.default] : []));
}

function isPhase(value: unknown): value is Phase {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['name', 'title', 'hosts', 'needs', 'options'].every((key) => key in value)
  );
}

/**
 * Topological order by needs; phases that could stand in any order stand by name. The default provider of a choice is off where
 * the spec names another one. Pure.
 */
export function sortPhases(given: readonly Phase[]): Phase[] {
  const phases = given.map((phase) => yieldToNamed(phase, given));
  const byName = new Map<string, Phase>();
  for (const phase of phases) {
    if (byName.has(phase.name)) throw new KubewrightError('INTERNAL', `two phases are named ${phase.name}`);
    byName.set(phase.name, phase);
  }
  const provided = new Set(phases.flatMap(providesOf));
  const offered = offeredCapabilities(phases);
  for (const phase of phases) {
    for (const { phase: needed } of phase.needs) {
      if (!byName.has(needed) && !provided.has(needed)) {
        throw new KubewrightError(
          'INTERNAL',
          `phase ${phase.name} needs ${needed}, which is no phase and which no phase provides`,
        );
      }
    }
    for (const capability of phase.provides ?? []) {
      const offers = phase.offers?.filter((each) => each.capability.name === capability).length ?? 0;
      if (offers === 1 || (offers === 0 && !offered.has(capability))) continue;
      throw new KubewrightError(
        'INTERNAL',
        `phase ${phase.name} provides ${capability} and ${offers === 0 ? 'offers nothing for it: others read its offer' : 'offers it twice'}`,
      );
    }
    for (const other of phase.conflicts ?? []) {
      if (!byName.has(other)) {
        throw new KubewrightError('INTERNAL', `phase ${phase.name} names an unknown phase: ${other}`);
      }
    }
  }
  const needs = new Map(phases.map((phase) => [phase.name, needsOf(phase, phases).map((need) => need.phase)]));
  const sorted: Phase[] = [];
  const waiting = new Map([...byName].sort(([a], [b]) => (a < b ? -1 : 1)));
  while (waiting.size > 0) {
    const ready = [...waiting.values()].find((phase) => needs.get(phase.name)!.every((name) => !waiting.has(name)));
    if (!ready) {
      throw new KubewrightError('INTERNAL', `phases need each other in a circle: ${[...waiting.keys()].join(', ')}`);
    }
    sorted.push(ready);
    waiting.delete(ready.name);
  }
  return sorted;
}
