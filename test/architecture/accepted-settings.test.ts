import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { scanPhases } from '../../activities/phases/phase-loader.ts';
import { parseConfig } from '../../api/config.ts';
import { ERRORS } from '../../contracts/error-catalogue.ts';
import { workerConfig } from '../../worker/config.ts';
import { root, sources } from './source-files.ts';

/** What we accept has an effect: each option, field, variable and flag is read somewhere outside of what declares it. */

/** A source without comments and without texts for people: `'key'` stays, sentences go. */
const codeOf = (text: string): string =>
  text
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(^|\s)\/\/.*$/gm, '')
    .replaceAll(/'[^'\n]*[ ][^'\n]*'/g, "''");
const code = sources()
  .filter(({ path }) => !path.startsWith('test/'))
  .map(({ path, text }) => ({ path, text: codeOf(text) }));

/** A property that is taken out of something: `.key`, `'key'`, or a name in braces. `key: ...` declares or writes it. */
const reads = (text: string, key: string): boolean =>
  new RegExp(`\\.${key}\\b(?!\\()|['"]${key}['"]|[{,]\\s*${key}\\s*(?=[,}=])|[{,]\\s*${key}: \\w+ = `).test(text);

/** Names of the fields of a schema, and of those in it. A literal has its effect in the schema itself: other values are refused. */
function fieldsOf(schema: unknown, seen = new Set<unknown>()): string[] {
  if (typeof schema !== 'object' || schema === null || seen.has(schema)) return [];
  seen.add(schema);
  const definition = (schema as { _zod?: { def: Record<string, unknown> } })._zod?.def;
  if (!definition) return Array.isArray(schema) ? schema.flatMap((each) => fieldsOf(each, seen)) : [];
  const shape = definition['type'] === 'object' ? (definition['shape'] as Record<string, unknown>) : {};
  return [
    ...Object.keys(shape).filter((key) => (shape[key] as z.ZodType)._zod.def.type !== 'literal'),
    ...Object.values(shape).flatMap((each) => fieldsOf(each, seen)),
    ...Object.values(definition).flatMap((each) => fieldsOf(each, seen)),
  ];
}

/** Options that not the phase itself reads, and the file that does. */
const READ_ELSEWHERE: Record<string, string> = {
  // Every phase that can be switched off has it.
  enabled: 'activities/phases/phase.ts',
  'prepare.apiFrom': 'activities/phases/firewall.ts',
  'prepare.nodePortsFrom': 'activities/phases/firewall.ts',
};

/** Options that are rendered as a whole, for they have the form of the configuration of Kubernetes. */
const RENDERED_AS_A_WHOLE: Record<string, readonly string[]> = {
  // A rule of audit.k8s.io/v1 (master/audit-policy.ts).
  master: [
    'level',
    'users',
    'userGroups',
    'verbs',
    'namespaces',
    'group',
    'resourceNames',
    'omitStages',
    'omitManagedFields',
  ],
  // Amounts of kubeReserved and systemReserved, signals of eviction (kube/options/kubelet.ts).
  nodes: [
    ...['cpu', 'memory', 'ephemeral-storage', 'pid'],
    ...['memory.available', 'nodefs.available', 'nodefs.inodesFree'],
    ...['imagefs.available', 'imagefs.inodesFree', 'pid.available'],
  ],
};
/** Options that several phases have, with their readers: of a phase that imports from there. */
const SHARED = ['activities/kube/options/', 'activities/phases/time/'];

/** Options of these phases that no source of theirs reads. */
function unreadOptions(phases: readonly { name: string; options: unknown }[], files: typeof code): string[] {
  return phases.flatMap(({ name, options }) => {
    const home = `activities/phases/${name}`;
    const isOwn = ({ path }: { path: string }) => path === `${home}.ts` || path.startsWith(`${home}/`);
    const imported = SHARED.filter((folder) =>
      files.some(
        (file) => isOwn(file) && file.text.includes(folder.replace('activities/phases', '').replace('activities', '')),
      ),
    );
    return [...new Set(fieldsOf(options))]
      .filter((field) => !RENDERED_AS_A_WHOLE[name]?.includes(field))
      .filter((field) => {
        const elsewhere = READ_ELSEWHERE[`${name}.${field}`] ?? READ_ELSEWHERE[field];
        const readers = files.filter((file) =>
          elsewhere === undefined
            ? isOwn(file) || imported.some((folder) => file.path.startsWith(folder))
            : file.path === elsewhere,
        );
        return !readers.some(({ text }) => reads(text, field));
      })
      .map((field) => `${name}: ${field}`);
  });
}

describe('an option of a phase', () => {
  it('is read by the phase, or by the file that is named here', async () => {
    const phases = await scanPhases();
    expect(phases.flatMap(({ options }) => fieldsOf(options)).length).toBeGreaterThan(60);
    // Those of another phase are read where that one reads them.
    expect(
      unreadOptions(
        phases.filter(({ sharesOptionsWith }) => sharesOptionsWith === undefined),
        code,
      ),
    ).toEqual([]);
  });

  it('without a reader is found', () => {
    const text = codeOf(
      "options: z.strictObject({ used: z.string(), idle: z.string().describe('what idle is') }), f: ({ options }) => options.used",
    );
    const options = z.strictObject({ used: z.string(), idle: z.string(), deep: z.array(z.object({ lost: z.int() })) });
    const files = [{ path: 'activities/phases/toy.ts', text }];
    expect(unreadOptions([{ name: 'toy', options }], files)).toEqual(['toy: idle', 'toy: deep', 'toy: lost']);
  });
});

describe('a field of a spec or of a request', () => {
  // Answers are compared with what is sent: test/unit/api/checked-answers.test.ts.
  const schemas = code.filter(
    ({ path, text }) =>
      /^(contracts|api\/routes)\//.test(path) && text.includes("from 'zod'") && path !== 'contracts/api.ts',
  );

  it.each(schemas.map(({ path }) => path))('of %s is read by another source', async (path) => {
    const module = (await import(join(root, path))) as Record<string, unknown>;
    const fields = new Set(Object.values(module).flatMap((value) => fieldsOf(value)));
    const readers = code.filter((file) => file.path !== path || path.startsWith('api/routes/'));
    expect([...fields].filter((field) => !readers.some(({ text }) => reads(text, field)))).toEqual([]);
  });
});

describe('a setting of a process', () => {
  const env = { TEMPORAL_ADDRESS: 'temporal:7233', KUBEWRIGHT_DATA: '/data' };
  const configs: [string, object, string[]][] = [
    // Read by the worker from its own environment; the API parses them so that a wrong value stops the start.
    ['api', parseConfig(env), ['timeouts']],
    ['worker', workerConfig(env), []],
  ];
  it.each(configs)('is read: %s', (process, config, others) => {
    const readers = code.filter(({ path }) => path.startsWith(`${process}/`) && path !== `${process}/config.ts`);
    const unread = Object.keys(config).filter((key) => !readers.some(({ text }) => reads(text, key)));
    expect(unread).toEqual(others);
  });

  it('that the image, the compose file or a unit gives is read by what it is given to', () => {
    const texts = (path: string): { path: string; text: string }[] =>
      statSync(join(root, path)).isFile()
        ? [{ path, text: readFileSync(join(root, path), 'utf8') }]
        : readdirSync(join(root, path)).flatMap((name) => texts(join(path, name)));
    const given = ['Dockerfile', 'docker-compose.yml', 'deploy'].flatMap(texts);
    const set = /\b((?:KUBEWRIGHT|TEMPORAL)_[A-Z0-9_]*[A-Z0-9])\s*[=:]/g;
    const names = new Set(given.flatMap(({ text }) => [...text.matchAll(set)].map(([, name]) => name!)));
    expect(names.size).toBeGreaterThan(20);
    // Of Temporal's own images.
    const foreign = ['TEMPORAL_DEFAULT_NAMESPACE', 'TEMPORAL_CODEC_ENDPOINT'];
    const scripts = given.filter(({ path }) => /\.(sh|sql)$/.test(path)).map(({ text }) => text);
    // `${NAME` of the compose file is filled in from the variable of the operator.
    const read = [
      ...code.map(({ text }) => text),
      ...scripts,
      ...given.map(({ text }) => (text.match(/\$\{\w+/g) ?? []).join()),
    ];
    const isRead = (name: string) =>
      read.some((text) => new RegExp(`\\b${name.replace(/_FILE$/, '')}\\b`).test(text)) || foreign.includes(name);
    expect([...names].filter((name) => !isRead(name))).toEqual([]);
  });
});

it('a flag of a command is read by the command', () => {
  const flagsOf = (text: string) =>
    [...text.matchAll(/(?:\.option|new Option)\(\s*'--(?:no-)?([a-z-]+)/g)].map(([, flag = '']) =>
      flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    );
  const commands = sources()
    .filter(({ path }) => /^(cli|lab)\//.test(path))
    .map(({ path, text }) => ({ path, text: codeOf(text), flags: flagsOf(text) }));
  expect(commands.flatMap(({ flags }) => flags).length).toBeGreaterThan(30);
  const unread = commands.flatMap(({ path, text, flags }) => {
    const callers = commands.filter((each) => each.text.includes(`./${path.split('/').at(-1)}'`));
    const texts = [text, ...callers.map((caller) => caller.text)];
    const unused = flags.filter((name) => !texts.some((each) => new RegExp(`\\b${name}\\b`).test(each)));
    return unused.map((name) => `${path}: ${name}`);
  });
  expect(unread).toEqual([]);
});

it('a code of the error catalogue is thrown, not only compared', () => {
  const texts = sources()
    .filter(({ path }) => !path.startsWith('test/') && path !== 'contracts/error-catalogue.ts')
    .map(({ text }) => text.replaceAll(/[!=]== '[A-Z_]+'/g, '').replaceAll(/\[[^\]]*\]\.includes\(/g, ''));
  expect(Object.keys(ERRORS).filter((name) => !texts.some((text) => text.includes(`'${name}'`)))).toEqual([]);
});
