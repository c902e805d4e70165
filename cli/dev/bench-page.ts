import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkoutRoot } from './paths.ts';

/** Replace what stands between `<!-- name -->` and `<!-- /name -->` in docs/benchmarks.md. Throws when a mark is missing. */
export function writeFigures(name: string, text: string): void {
  const file = join(checkoutRoot, 'docs/benchmarks.md');
  const page = readFileSync(file, 'utf8');
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(open), page.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`${file} has no block ${open} ... ${close}`);
  writeFileSync(file, `${page.slice(0, from)}${open}\n\n${text}\n\n${page.slice(to)}`);
}
