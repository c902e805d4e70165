import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KIND_ALIASES } from '../../contracts/earlier-kinds.ts';
import { kinds } from '../support/plans.ts';
import { root, sources } from './source-files.ts';

/** The only files that name kinds of operation. */
const MAY = /^(test\/|activities\/operations\/kinds\/|contracts\/earlier-kinds\.ts$|cli\/commands\/heal\.ts$)/;
/** A phase has the name of a kind. */
const PHASES = /^activities\/phases\/(teardown\/phase|forget)\.ts$/;
/** Other things that are built: programs and images of the mirror, and the web UI. */
const OTHER = /^(lab\/mirror\/|api\/build-ui\.ts$)/;

const names = [...kinds.keys(), 'destroy'];
const aliases = [...KIND_ALIASES.keys()];
/** In single quotes or backticks, as our sources have them: texts for people show JSON with double quotes. */
const quoted = (words: readonly string[]) => `['\`](?:${words.join('|')})['\`]`;
// `check` is a mode as well: only where a kind is compared, written or queried.
const LITERAL = new RegExp(quoted(names));
const ALIAS = new RegExp(`\\bkind\\b['"]?[^'"\`;{}]{0,20}${quoted(aliases)}`);

/** Lines of a source without comments that have the name of a kind in quotes. */
function literalsOf({ path, text }: { path: string; text: string }): string[] {
  if (MAY.test(path) || OTHER.test(path)) return [];
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, '')).split('\n');
  return code.flatMap((line, index) => {
    const found = LITERAL.test(line.replace(/(^|\s)\/\/.*$/, '')) || ALIAS.test(line);
    const isPhase = PHASES.test(path) && /\b(?:name|phase): 'teardown'/.test(line);
    return found && !isPhase ? [`${path}:${index + 1}: ${line.trim()}`] : [];
  });
}

it('kinds of operation are named in their own files alone', () => {
  expect(sources().flatMap(literalsOf)).toEqual([]);
});

it('one file each, found by its name', () => {
  const files = readdirSync(join(root, 'activities/operations/kinds')).map((name) => name.replace(/\.ts$/, ''));
  expect(files.sort()).toEqual([...kinds.keys()].sort());
});

it.each([
  "if (input.kind === 'teardown') return;",
  "  .where('kind', '!=', 'teardown')",
  "const BUILDING = ['build'];",
  "  kind: z.enum(['heal']),",
  "  mode: kind === 'check' ? 'check' : 'apply',",
  "  { kind: 'check', mode: 'check' }",
])('a name elsewhere is seen: %s', (text) => {
  expect(literalsOf({ path: 'api/submit.ts', text })).toHaveLength(1);
});

it.each(["mode: dryRun ? 'check' : 'apply',", '// a build is not a teardown', "  name: 'builder',"])(
  'passes: %s',
  (text) => {
    expect(literalsOf({ path: 'api/submit.ts', text })).toEqual([]);
  },
);
