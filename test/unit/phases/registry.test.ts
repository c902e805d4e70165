import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { definePhase, type Phase } from '../../../activities/phases/phase.ts';
import { loadPhases, scanPhases, sortPhases } from '../../../activities/phases/phase-loader.ts';

const phase = (name: string, needs: string[] = [], conflicts: string[] = []): Phase =>
  definePhase({
    name,
    title: name,
    hosts: 'all',
    needs: needs.map((other) => ({ phase: other, on: 'same-host' })),
    conflicts,
    timeouts: { applyMs: 1, verifyMs: 1 },
    expectedMs: 1,
    options: z.strictObject({}),
  });

test('phases come after what they need, by name where order is free', () => {
  const sorted = sortPhases([phase('d', ['b', 'c']), phase('c'), phase('b', ['c']), phase('a', ['d'])]);
  expect(sorted.map(({ name }) => name)).toEqual(['c', 'b', 'd', 'a']);
});

test('phases that do not fit together are refused', () => {
  expect(() => sortPhases([phase('a'), phase('a')])).toThrow('two phases are named a');
  expect(() => sortPhases([phase('a', ['x'])])).toThrow(
    'phase a needs x, which is no phase and which no phase provides',
  );
  expect(() => sortPhases([phase('a', [], ['x'])])).toThrow('phase a names an unknown phase: x');
  expect(() => sortPhases([phase('a', ['b']), phase('b', ['a']), phase('c')])).toThrow(/in a circle: a, b$/);
});

test('a phase is added as a file; files without one are ignored', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kubewright-phases-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const source = `export default { name: 'calico', title: 'Calico', hosts: 'nodes', needs: [], options: {} };\n`;
  await writeFile(join(folder, 'calico.ts'), source);
  await writeFile(join(folder, 'shared.ts'), 'export const help = 1;\n');
  const phases = await scanPhases(pathToFileURL(`${folder}/`));
  expect(phases.map(({ name }) => name)).toEqual(['calico']);
});

test('our own phases load', async () => {
  const names = (await loadPhases()).map(({ name }) => name);
  expect(names.indexOf('preflight')).toBeLessThan(names.indexOf('prepare'));
  expect(names).toEqual(expect.arrayContaining(['chrony', 'pki', 'registry', 'runtime']));
});
