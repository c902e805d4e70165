import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EMBEDDED, MAY_IMPORT, ZOD_FREE } from './layer-table.ts';
import { imports, sources } from './source-files.ts';

const violations = (files: { path: string; text: string }[]) =>
  files.flatMap(({ path, text }) => {
    const folder = path.split('/')[0]!;
    const rule = MAY_IMPORT[folder];
    if (!rule || path.startsWith('cli/dev/')) return [];
    return imports(text)
      .filter(({ from }) => from.startsWith('.'))
      .map((each) => ({ ...each, target: join(dirname(path), each.from).split('/')[0]! }))
      .filter(({ target, typeOnly }) => {
        if (rule.values.includes(target)) return false;
        if (typeOnly && rule.types?.includes(target)) return false;
        return !(EMBEDDED.has(path) && target === 'worker');
      })
      .map(({ from }) => `${path} imports ${from}`);
  });

describe('layers', () => {
  it('import one way', () => {
    expect(violations(sources())).toEqual([]);
  });

  it('are really checked: a wrong import is seen', () => {
    const wrong = { path: 'contracts/x.ts', text: "import { openStore } from '../store/index.ts';" };
    expect(violations([wrong])).toEqual(['contracts/x.ts imports ../store/index.ts']);
    const typed = { path: 'workflows/x.ts', text: "import type { A } from '../activities/index.ts';" };
    expect(violations([typed])).toEqual([]);
  });

  it('keep zod out of what workflows import as values', () => {
    const zodFree = ZOD_FREE.map((name) => `contracts/${name}.ts`);
    for (const { path, text } of sources()) {
      if (zodFree.includes(path)) {
        const values = imports(text).filter(({ typeOnly }) => !typeOnly);
        expect(values.filter(({ from }) => !zodFree.includes(`contracts/${from.slice(2)}`))).toEqual([]);
      }
      if (!path.startsWith('workflows/')) continue;
      const values = imports(text).filter(({ from, typeOnly }) => from.includes('contracts/') && !typeOnly);
      for (const { from } of values) expect(zodFree.map((file) => file.split('/')[1])).toContain(from.split('/').pop());
    }
  });
});
