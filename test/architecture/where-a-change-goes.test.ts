import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { FOLDERS, root } from './source-files.ts';

/** The lines of "Where a change goes" in CONTRIBUTING.md, by what they are about. */
const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
const [, section = ''] = /## Where a change goes\n([\s\S]*?)\nImports go one way/.exec(text) ?? [];
const lines = section.split(/^- /m).slice(1);

it.each(lines.map((line) => [line.split(':')[0]!, line] as const))('%s: every path of the line exists', (_, line) => {
  const paths = [...line.matchAll(/`?((?:[a-z0-9-]+\/)+[a-z0-9-]*(?:\.[a-z]+)*)`?/g)].map(([, path = '']) => path);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});

it('is a list', () => expect(lines.length).toBeGreaterThan(8));

const phase = (name: string, more = '') => `
export default definePhase({
  name: '${name}', title: '${name}', hosts: 'nodes', needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 60_000, verifyMs: 60_000 }, expectedMs: 1_000, options: z.strictObject({}),
  ${more}
});
`;
const kind = (name: string, resource: string) => `import { defineKind, resourceKey } from '${resource}';
export const ${name} = () => ({ kind: '${name}' as const, id: 'toy' });
export default defineKind<ReturnType<typeof ${name}>, boolean>({
  kind: '${name}',
  probe: () => 'echo yes',
  parse: (output) => output === 'yes\\n',
  diff: (resource, there) => (there ? [] : [{ resource: resourceKey(resource), action: 'create' }]),
  digest: () => 'toy',
});
`;

/** What each line says is one new file, as such a file; nothing else of the copy is touched. */
const ADDED: Record<string, string> = {
  'cli/commands/toy-greet.ts': `import { defineCommand } from '../command.ts';
export default defineCommand('toy greet', (command) => command.description('toy'));
`,
  'activities/phases/toy-file.ts': `import { z } from 'zod';
import { toyKind } from '../resources/toy-kind.ts';
import { definePhase } from './phase.ts';
${phase('toy-file', 'resources: () => [toyKind()],')}`,
  'activities/phases/toy-folder/phase.ts': `import { z } from 'zod';
import { definePhase } from '../phase.ts';
import { ownKind } from './own-resource.ts';
${phase('toy-folder', 'optional: true, resources: () => [ownKind()],')}`,
  'activities/phases/toy-folder/own-resource.ts': kind('ownKind', '../../resources/resource.ts'),
  'activities/phases/toy-folder/artifacts.ts': `import { defineArtifact } from '../../artifacts/artifact.ts';
import { defineImage } from '../../artifacts/image.ts';
export const TOY = defineArtifact({
  name: 'toy-program', version: '1.0.0', format: 'binary', otherwise: 'beside', members: () => [{ path: '', name: 'toy' }],
  path: (version) => 'toy/' + version, url: (version) => 'https://toy.example/' + version,
});
export const IMAGE = defineImage({
  name: 'toy-image', version: '1.0.0', upstream: 'toy.example/toy:1.0.0', required: true, sizeMiB: 1,
});
`,
  'activities/phases/toy-folder/mirror.ts': `import { TOY } from './artifacts.ts';
export default [{
  kind: 'go', artifacts: [TOY], seconds: 1,
  build: (version) => ({ module: 'toy.example', version: 'v' + version, builds: [], ldflags: [] }),
}];
`,
  'activities/resources/toy-kind.ts': kind('toyKind', './resource.ts'),
  'activities/phases/capabilities/toy-capability.ts': `import { z } from 'zod';
import { defineCapability } from '../capability.ts';
export const toyCapability = defineCapability({ name: 'toy-capability', data: z.strictObject({ word: z.string() }) });
`,
  'activities/phases/toy-provider.ts': `import { z } from 'zod';
import { toyCapability } from './capabilities/toy-capability.ts';
import { definePhase } from './phase.ts';
${phase('toy-provider', "offers: [toyCapability.offer(() => ({ word: 'toy' }))],")}`,
  'activities/phases/preflight/checks/toy-check.ts': `import { z } from 'zod';
import { defineCheck } from '../check.ts';
export default defineCheck({
  name: 'toy-check', about: 'memory', title: 'Toy', inspects: 'Toys on every host.', codes: ['MEMORY_TOO_SMALL'],
  options: { toys: z.int().min(0).max(9).default(3) },
  probe: { script: () => 'say toys 1' },
  evaluate: () => [],
});
`,
  'activities/operations/kinds/toy-operation.ts': `import { defineOperation, someHosts } from '../operation-kind.ts';
import { askedHosts } from '../plan-phases.ts';
export default defineOperation({
  name: 'toy-operation', title: 'toy', role: 'operator', modes: ['apply'], request: someHosts, effect: 'none',
  clusterStates: { running: 'building', failed: 'degraded', stopped: 'degraded' }, phases: ['chrony'], plan: askedHosts,
});
`,
  'activities/health/checks/toy-health.ts': `import { defineHealthCheck } from '../view.ts';
export default defineHealthCheck(5, () => [{ code: 'NODE_MISSING', subject: 'toy', reason: 'the toy is not there' }]);
`,
  'store/migrations/998-toy.ts': `import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';
export default async function toy(db: Kysely<Tables>): Promise<void> {
  await db.schema.createTable('toys').ifNotExists().addColumn('name', 'text').execute();
}
`,
  'api/readiness/parts/toy-part.ts': `import { defineReadiness } from '../readiness.ts';
export default defineReadiness(() => ({ name: 'toy', meaning: 'The toy is there', look: async () => ({ state: 'ok' }) }));
`,
  'test/matrix/cases/toy-case.ts': `import { defineMatrixCase } from '../kit/case.ts';
export default defineMatrixCase({
  title: 'Toys', hosts: { 'control-plane': 1, worker: 1 }, spec: () => {}, change: () => {},
});
`,
  'api/imports/formats/toy-format.ts': `import { defineImportFormat } from '../format.ts';
export default defineImportFormat({ name: 'toy-format', title: 'Toys', recognizes: () => false, convert: () => {} });
`,
  'api/routes/toy-route.ts': `import { z } from 'zod';
import { defineRoutes, responses } from '../route.ts';
export default defineRoutes((api) => {
  api.get('/toys', { config: { role: 'viewer' }, schema: { operationId: 'toys', summary: 'Toys', response: responses({ 200: z.object({}) }) } }, async () => ({}));
});
`,
};

/** Loads the parts of the copy as the processes do, and prints what it finds. */
const REPORT = `
import { loadPhases } from './activities/phases/phase-loader.ts';
import { scanChecks } from './activities/phases/preflight/checks.ts';
import { CATALOGUE } from './activities/phases/catalogue.ts';
import { scanHealthChecks, healthOf } from './activities/health/index.ts';
import { loadKinds } from './activities/operations/kind-loader.ts';
import { RESOURCE_KINDS } from './activities/resources/engine/resource-kinds.ts';
import { openReadiness } from './api/readiness/index.ts';
import { loadImportFormats } from './api/imports/format.ts';
import { scanRoutes } from './api/route.ts';
import { migrations } from './store/migrations/index.ts';
import { GoWorkshop } from './lab/mirror/go/workshop.ts';
import { scanRecipes } from './lab/mirror/recipes.ts';
import { openWeb } from './lab/mirror/sources/web.ts';
import { mirrorUnits } from './lab/mirror/units.ts';
import { matrixEntries } from './cli/dev/matrix-entries.ts';
import { commandsFor } from './cli/program.ts';
const phases = await loadPhases();
const operations = await loadKinds(phases);
const nothing = new Proxy({}, { get: (_, key) => (key === 'phases' ? phases : key === 'kinds' ? operations : key === 'parts' ? [] : nothing) });
const { parts } = await openReadiness({ config: nothing, store: nothing, temporal: nothing, embedded: null, logger: nothing });
const urls = [];
const recorder = new Proxy({}, { get: () => (url, { schema }) => urls.push(url + ' ' + (schema.description ?? '')) });
for (const add of await scanRoutes()) add(recorder, nothing);
const view = { cluster: { spec: { hosts: [] } }, out: new Set(), rows: [], hosts: [], objects: [], now: 0 };
const health = healthOf(view, { at: '', operationId: '', quarantined: [] });
const mirror = { arch: 'amd64', kubernetesVersion: '1.36.3' };
const workshop = new GoWorkshop({ ...mirror, cacheDir: '/nowhere', workDir: '/nowhere' });
const recipes = await scanRecipes();
console.log(JSON.stringify({
  preload: phases.find(({ name }) => name === 'registry').options.parse({ preload: ['toy-image'] }).preload,
  mirror: mirrorUnits({ ...mirror, workshop, web: openWeb(), catalogue: CATALOGUE, recipes })
    .map(({ name, sources }) => [name, ...sources.map((each) => each.name)].join(' ')),
  phases: phases.map(({ name }) => name),
  checks: (await scanChecks()).map(({ name }) => name),
  preflight: Object.keys(phases.find(({ name }) => name === 'preflight').options.parse({})),
  kinds: RESOURCE_KINDS.map(({ kind }) => kind),
  health: health.reasons.map(({ subject }) => subject),
  routes: urls,
  imports: (await loadImportFormats()).map(({ name }) => name),
  readiness: parts.map(({ name }) => name),
  migrations: Object.keys(await migrations('blob')),
  matrix: (await matrixEntries()).map(({ name }) => name),
  commands: (await commandsFor([])).map(({ words }) => words.join(' ')),
}));
`;

describe('one new file', () => {
  let found: Record<
    | 'phases'
    | 'checks'
    | 'preflight'
    | 'kinds'
    | 'health'
    | 'routes'
    | 'readiness'
    | 'imports'
    | 'migrations'
    | 'preload'
    | 'mirror'
    | 'matrix'
    | 'commands',
    string[]
  >;
  let docs: (page: string) => string;

  beforeAll(async () => {
    const copy = mkdtempSync(join(tmpdir(), 'kubewright-change-'));
    for (const folder of [
      ...FOLDERS.filter((each) => each !== 'test'),
      'test/matrix',
      'test/support',
      'docs',
      'package.json',
    ]) {
      cpSync(join(root, folder), join(copy, folder), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    for (const [path, source] of Object.entries(ADDED)) {
      expect(existsSync(join(copy, path)), path).toBe(false);
      mkdirSync(dirname(join(copy, path)), { recursive: true });
      writeFileSync(join(copy, path), source);
    }
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', REPORT], { cwd: copy });
    found = JSON.parse(stdout) as typeof found;
    await run(process.execPath, ['cli/dev/gen-docs.ts'], { cwd: copy });
    docs = (page) => readFileSync(join(copy, 'docs', page), 'utf8');
    return () => rmSync(copy, { recursive: true, force: true });
  }, 120_000);

  it('is a phase, or one folder: planned in its place, and in the docs', () => {
    expect(found.phases).toEqual(expect.arrayContaining(['toy-file', 'toy-folder', 'toy-provider']));
    expect(found.phases.indexOf('prepare')).toBeLessThan(found.phases.indexOf('toy-file'));
    for (const name of ['toy-file', 'toy-folder', 'toy-provider']) expect(docs('phases.md')).toContain(name);
  });
  it('is a capability, with what its provider offers in the docs', () => {
    expect(docs('phases.md')).toContain('toy-capability');
  });
  it('is a preflight check, with its option and its row in the docs', () => {
    expect(found.checks).toContain('toy-check');
    expect(found.preflight).toContain('toys');
    expect(docs('preflight.md')).toContain('| Toy | Toys on every host. |');
  });
  it('is a kind of resource, of all phases or of one', () => {
    expect(found.kinds).toEqual(expect.arrayContaining(['toyKind', 'ownKind']));
  });
  it('has the files and images of a phase, and how a mirror gets them', () => {
    expect(found.preload).toEqual(['toy-image']);
    expect(found.mirror).toEqual(expect.arrayContaining(['toy-program release go-build', 'image/toy-image pull']));
  });
  it('is a part of the health of a cluster', () => expect(found.health).toContain('toy'));
  it('is a migration, after all others', () => expect(found.migrations.at(-1)).toBe('998-toy'));
  it('is a case of the matrix', () => expect(found.matrix).toContain('toy-case'));
  it('is an inventory format that can be imported', () => expect(found.imports).toContain('toy-format'));
  it('is a part of /readyz', () => expect(found.readiness).toContain('toy'));
  it('is a command of kubewright', () => {
    expect(found.commands).toContain('toy greet');
    expect(docs('cli.md')).toContain('### toy greet');
  });
  it('is a route', () => expect(found.routes).toContain('/toys '));
  it('is a kind of operation, which the API takes', () => {
    expect(found.routes.find((route) => route.includes('`toy-operation`: toy'))).toMatch('/clusters/:name/operations');
  });
});

/** Folders whose parts stand in a table beside them, as their lines say, and what a part looks like. */
const TABLES: [folder: string, table: string, part: RegExp][] = [
  ['audit/sinks', 'audit/sinks/index.ts', /export function \w+Sink\(/],
  ['worker/temporal-server', 'worker/temporal-server/resolve.ts', /export const \w+: TemporalSource =/],
];
it.each(TABLES)('every part in %s has its line in %s, as CONTRIBUTING says', (folder, table, part) => {
  const names = readdirSync(join(root, folder)).filter((name) =>
    part.test(readFileSync(join(root, folder, name), 'utf8')),
  );
  const listed = readFileSync(join(root, table), 'utf8');
  expect(names.length).toBeGreaterThan(2);
  expect(names.filter((name) => !listed.includes(`/${name}'`))).toEqual([]);
  expect(section.replaceAll(/\s+/g, ' ')).toContain(`\`${table}\``);
});

it('a line that says nothing of a table needs none: each kind of such a line is added above', () => {
  const tables = TABLES.map(([folder]) => `${folder}/`);
  const scanned = lines
    .flatMap((line) => [...line.matchAll(/one file in\s+`([a-z/-]+\/)`/g)].map(([, folder = '']) => folder))
    .filter((folder) => !tables.includes(folder) && folder !== 'test/e2e/field/');
  const proven = Object.keys(ADDED).map((path) => `${dirname(path)}/`);
  expect(scanned.length).toBeGreaterThan(5);
  expect(scanned.filter((folder) => !proven.includes(folder))).toEqual([]);
});
