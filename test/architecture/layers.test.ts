import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { imports, sources } from './source-files.ts';

/** Which folders a folder may import values from; `types` are allowed on top. The table of style.md §C. */
const MAY_IMPORT: Record<string, { values: string[]; types?: string[] }> = {
  contracts: { values: ['contracts'] },
  workflows: { values: ['workflows', 'contracts'], types: ['activities'] },
  store: { values: ['store', 'contracts'] },
  telemetry: { values: ['telemetry'] },
  codec: { values: ['codec', 'contracts', 'store'] },
  activities: { values: ['activities', 'contracts', 'store'] },
  worker: { values: ['worker', 'telemetry', 'contracts', 'store', 'codec', 'workflows', 'activities'] },
  api: {
    values: ['api', 'telemetry', 'contracts', 'store', 'codec', 'activities', 'audit'],
    types: ['workflows', 'worker'],
  },
  audit: { values: ['audit', 'contracts', 'store', 'codec'] },
  cli: { values: ['cli', 'contracts', 'audit', 'store'] },
  lab: { values: ['lab', 'contracts', 'activities'] },
};
/** `npm start`: the API process starts Temporal and the worker, and knows what they have in common. */
const EMBEDDED = new Set(['api/main.ts', 'api/embedded.ts', 'api/worker-process.ts']);

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
    const zodFree = [
      'contracts/error-catalogue.ts',
      'contracts/errors.ts',
      'contracts/messages.ts',
      'contracts/limits.ts',
      'contracts/quorum.ts',
      'contracts/printable.ts',
      'contracts/cut.ts',
      'contracts/provenance.ts',
    ];
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
