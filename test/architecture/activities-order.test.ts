import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { imports, root, sources } from './source-files.ts';

/**
 * Imports that still run against the order of docs/architecture.md, by file and target, with what takes them away. The
 * list only shrinks: an entry that is not needed any more fails.
 */
const AGAINST: Record<string, readonly string[]> = {
  // A phase's options and context; goes with `requires` and `offers`, which hand in narrow values.
  'activities/phases/phase.ts': ['activities/kube/rollout.ts'],
  'activities/phases/options.ts': ['activities/kube/eviction.ts'],
  // One kind of resource looks for what other clusters left, with the scripts of preflight.
  'activities/kube/packet-filter.ts': ['activities/resources/foreign-leftovers.ts'],
  'activities/leftovers/found.ts': ['activities/resources/foreign-leftovers.ts'],
  'activities/leftovers/scripts.ts': ['activities/resources/foreign-leftovers.ts'],
  // Which cluster a host belongs to is computed from the cluster's CA.
  'activities/phases/cluster-state.ts': ['activities/host/ownership-marker.ts'],
  'activities/pki/types.ts': ['activities/host/ownership-marker.ts'],
  'activities/resources/digest.ts': ['activities/host/ownership-marker.ts'],
};

interface Import {
  path: string;
  target: string;
}
type File = ReturnType<typeof sources>[number];

/** Folder or file right below activities/ → its line in the list of docs/architecture.md, 1 at the top. */
function readOrder(): Map<string, number> {
  const text = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
  const [, section = ''] = /### The order inside activities\n([\s\S]*?)\n##/.exec(text) ?? [];
  return new Map(
    [...section.matchAll(/^(\d)\. (.*)$/gm)].flatMap(([, line, words = '']) =>
      [...words.matchAll(/`([a-z-]+(?:\/|\.ts))`/g)].map(
        ([, name = '']) => [name.replace('/', ''), Number(line)] as const,
      ),
    ),
  );
}

const order = readOrder();
const lineOf = (path: string) => order.get(path.split('/')[1]!) ?? 0;
const importsOf = (files: readonly File[]): Import[] =>
  files.flatMap(({ path, text }) =>
    imports(text)
      .filter(({ from }) => from.startsWith('.'))
      .map(({ from }) => ({ path, target: join(dirname(path), from) })),
  );

/** A source without its imports of types, which are gone when it runs. */
const valuesOf = (text: string): string => text.replaceAll(/^(import|export) type [^;]*;$/gm, '');

/** Imports from a line to one above it. */
const upward = (files: readonly File[]): Import[] =>
  importsOf(files.filter(({ path }) => path.startsWith('activities/'))).filter(
    ({ path, target }) => target.startsWith('activities/') && lineOf(target) < lineOf(path),
  );

/** Imports from outside a phase's folder (it has a `phase.ts`) of anything in it but `public.ts`. Tests look inside. */
const intruding = (files: readonly File[]): Import[] =>
  importsOf(files.filter(({ path }) => !path.startsWith('test/'))).filter(({ path, target }) => {
    const [, folder] = /^(activities\/phases\/[^/]+\/)/.exec(target) ?? [];
    return (
      folder !== undefined &&
      existsSync(join(root, folder, 'phase.ts')) &&
      !path.startsWith(folder) &&
      target !== `${folder}public.ts`
    );
  });

const excepted = ({ path, target }: Import) => AGAINST[target]?.includes(path) ?? false;
const shown = (found: readonly Import[]) => found.map(({ path, target }) => `${path} imports ${target}`);

it('the order names every file and folder of activities/, and nothing else', () => {
  const there = readdirSync(join(root, 'activities')).sort();
  expect([...order.keys()].sort()).toEqual(there);
});

it('activities import downwards', () => {
  expect(shown(upward(sources()).filter((each) => !excepted(each)))).toEqual([]);
});

it('others use of a phase only its public.ts', () => {
  expect(shown(intruding(sources()).filter((each) => !excepted(each)))).toEqual([]);
  for (const folder of readdirSync(join(root, 'activities/phases'), { withFileTypes: true })) {
    const file = join(root, 'activities/phases', folder.name, 'public.ts');
    if (folder.isDirectory() && existsSync(file)) expect(readFileSync(file, 'utf8')).toMatch(/^\/\*\*/);
  }
});

it('exceptions are still needed', () => {
  const all = [...upward(sources()), ...intruding(sources())];
  const stale = Object.entries(AGAINST).flatMap(([target, files]) =>
    files
      .filter((path) => !all.some((each) => each.path === path && each.target === target))
      .map((path) => `${path} no longer imports ${target}: take it out of AGAINST`),
  );
  expect(stale).toEqual([]);
});

it('no kind of resource imports the engine, which waits for the kinds at its start', () => {
  const files = new Map(sources().map(({ path, text }) => [path, text]));
  const isEngine = (path: string) => path.startsWith('activities/resources/engine/');
  const reached = new Map<string, string>();
  const walk = (path: string, from: string): void => {
    if (reached.has(path) || !files.has(path)) return;
    reached.set(path, from);
    for (const { target } of importsOf([{ path, text: valuesOf(files.get(path)!) }])) walk(target, path);
  };
  const isKind = (path: string) => /^activities\/(resources\/[^/]+|phases\/[^/]+\/[^/]+-resource)\.ts$/.test(path);
  for (const path of files.keys()) if (isKind(path)) walk(path, path);
  expect([...reached].filter(([path]) => isEngine(path)).map(([path, from]) => `${from} imports ${path}`)).toEqual([]);
  expect(reached.size).toBeGreaterThan(40);
});

it('a wrong import is seen', () => {
  const file = (path: string, from: string) => [{ path, text: `import { a } from '${from}';` }];
  expect(upward(file('activities/host/x.ts', '../kube/paths.ts'))).toHaveLength(1);
  expect(upward(file('activities/kube/x.ts', '../host/quote.ts'))).toEqual([]);
  expect(upward(file('activities/phases/etcd/x.ts', '../../tasks/run-task.ts'))).toHaveLength(1);
  expect(intruding(file('activities/phases/etcd/x.ts', '../prepare/packages.ts'))).toHaveLength(1);
  expect(intruding(file('activities/phases/etcd/x.ts', '../prepare/public.ts'))).toEqual([]);
  expect(intruding(file('activities/phases/etcd/x.ts', './members.ts'))).toEqual([]);
  expect(intruding(file('activities/operations/x.ts', '../phases/etcd/members.ts'))).toHaveLength(1);
});
