import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { EMBEDDED, MAY_IMPORT, ZOD_FREE } from './layer-table.ts';
import { FOLDERS, root } from './source-files.ts';

/** A file with one import, and whether lint must refuse it. */
interface Probe {
  path: string;
  source: string;
  refused: boolean;
}

const lintReport = z.object({
  diagnostics: z.array(z.object({ code: z.string().optional(), filename: z.string() })),
});
const VALUE = 'import { a } from';
const TYPE = 'import type { a } from';

/** Paths of the probes that our lint configuration refuses. */
async function refusedByLint(probes: readonly Probe[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-lint-'));
  try {
    const { options: _, ...config } = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8'));
    const rule = ([name]: [string, unknown]) => name === 'no-restricted-imports';
    const overrides = (config.overrides as { rules: object }[]).map((each) => ({
      ...each,
      rules: Object.fromEntries(Object.entries(each.rules).filter(rule)),
    }));
    writeFileSync(join(folder, '.oxlintrc.json'), JSON.stringify({ overrides }));
    for (const { path, source } of probes) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), `${source};\nexport type { a };\n`);
    }
    const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
    const lint = promisify(execFile)(process.execPath, [oxlint, '--format=json', '.'], {
      cwd: folder,
      maxBuffer: 64 * 1024 * 1024,
    });
    // It ends with 1 where it found something.
    const { stdout } = await lint.catch((error: { stdout: string }) => error);
    const { diagnostics } = lintReport.parse(JSON.parse(stdout));
    const found = diagnostics.filter(({ code }) => code === 'eslint(no-restricted-imports)');
    return [...new Set(found.map(({ filename }) => filename))].sort();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

it('lint refuses the imports between folders that the table of layers refuses, and no others', async () => {
  const probes: Probe[] = [];
  for (const [folder, { values, types = [] }] of Object.entries(MAY_IMPORT)) {
    for (const target of FOLDERS.filter((each) => each !== folder)) {
      for (const [depth, up] of [
        ['', '../'],
        ['sub/', '../../'],
      ] as const) {
        // workflows and ui may import chosen files of contracts only: the test below.
        const name = ['workflows', 'ui'].includes(folder) && target === 'contracts' ? 'errors' : 'index';
        const from = `'${up}${target}/${name}.ts'`;
        const path = (kind: string) => `${folder}/${depth}probe-${target}-${kind}.ts`;
        const allowed = values.includes(target);
        probes.push(
          { path: path('value'), source: `${VALUE} ${from}`, refused: !allowed },
          { path: path('type'), source: `${TYPE} ${from}`, refused: !allowed && !types.includes(target) },
        );
      }
    }
  }
  for (const path of EMBEDDED) {
    probes.push({ path, source: `${VALUE} '../worker/index.ts'`, refused: false });
  }
  expect(await refusedByLint(probes)).toEqual(probes.flatMap(({ path, refused }) => (refused ? [path] : [])).sort());
});

it('lint keeps zod out of what workflows import as values', async () => {
  const probes: Probe[] = [
    { path: 'workflows/spec.ts', source: `${VALUE} '../contracts/cluster.ts'`, refused: true },
    { path: 'workflows/lib/spec.ts', source: `${VALUE} '../../contracts/cluster.ts'`, refused: true },
    { path: 'workflows/lib/spec-type.ts', source: `${TYPE} '../../contracts/cluster.ts'`, refused: false },
    { path: 'ui/src/spec.ts', source: `${VALUE} '../../contracts/cluster.ts'`, refused: true },
    { path: 'ui/src/spec-type.ts', source: `${TYPE} '../../contracts/cluster.ts'`, refused: false },
    { path: 'workflows/zod.ts', source: `${VALUE} 'zod'`, refused: true },
    { path: 'workflows/client.ts', source: `${VALUE} '@temporalio/client'`, refused: true },
    { path: 'workflows/workflow.ts', source: `${VALUE} '@temporalio/workflow'`, refused: false },
  ];
  for (const name of ZOD_FREE) {
    const other = ZOD_FREE.find((each) => each !== name)!;
    probes.push(
      { path: `workflows/lib/${name}.ts`, source: `${VALUE} '../../contracts/${name}.ts'`, refused: false },
      { path: `contracts/${name}.ts`, source: `${VALUE} './${other}.ts'`, refused: false },
    );
  }
  expect(await refusedByLint(probes)).toEqual(probes.flatMap(({ path, refused }) => (refused ? [path] : [])).sort());
  const files = ZOD_FREE.map((name) => `contracts/${name}.ts`);
  for (const from of ['zod', './cluster.ts', 'ulid']) {
    const wrong = files.map((path) => ({ path, source: `${VALUE} '${from}'`, refused: true }));
    expect(await refusedByLint(wrong), from).toEqual(files);
  }
});

it('every override of lint names files and folders that exist', () => {
  const { overrides } = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as {
    overrides: { files: string[]; rules: object }[];
  };
  for (const { files, rules } of overrides) {
    for (const file of files) {
      const path = join(root, file.replace(/\/\*\*$/, ''));
      expect(existsSync(path), `${file} of .oxlintrc.json does not exist`).toBe(true);
    }
    const named = JSON.stringify(rules).match(/\(([a-z|]+)\)\//g) ?? [];
    for (const each of named.flatMap((group) => group.slice(1, -2).split('|'))) {
      expect(existsSync(join(root, each)), `${each}/ of .oxlintrc.json does not exist`).toBe(true);
    }
  }
});
