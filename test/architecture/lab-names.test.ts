import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkoutRoot } from '../../cli/dev/paths.ts';

/** How files of the e2e tier say which lab they bring up. */
const NAMED = /(?:\bNAME =|\bname:|KUBEWRIGHT_DEMO_NAME:|freshBench\() ?'(kw[a-z0-9-]*)'/g;

it('no two files of the e2e tier share a lab: they run side by side', () => {
  const folder = join(checkoutRoot, 'test/e2e');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const users = new Map<string, Set<string>>();
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [, name = ''] of text.matchAll(NAMED)) users.set(name, (users.get(name) ?? new Set()).add(file));
  }
  expect(users.size).toBeGreaterThan(8);
  expect([...users].filter(([, { size }]) => size > 1).map(([name, by]) => `${name}: ${[...by].join(', ')}`)).toEqual(
    [],
  );
  const names = [...users.keys()];
  expect(names.filter((name) => name.length > 8)).toEqual([]);
});
