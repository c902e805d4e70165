import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from './source-files.ts';

/** The lines of "Where a change goes" in CONTRIBUTING.md. */
const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
const [, section = ''] = /## Where a change goes\n([\s\S]*?)\nImports go one way/.exec(text) ?? [];
const lines = section.split(/^- /m).slice(1);

it.each(lines.map((line) => [line.split(':')[0]!, line] as const))('%s: every path of the line exists', (_, line) => {
  const paths = [...line.matchAll(/`?((?:[a-z0-9-]+\/)+[a-z0-9-]*(?:\.[a-z]+)*)`?/g)].map(([, path = '']) => path);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

it('is a list', () => expect(lines.length).toBeGreaterThan(8));
