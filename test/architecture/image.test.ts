import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildContext, imageFiles, parseDockerfile } from '../support/dockerfile.ts';
import { imports, root } from './source-files.ts';

/** What is started in a container. */
const ENTRIES = ['api/main.ts', 'worker/main.ts', 'worker/bundle.ts', 'cli/main.ts'];
/** Folders that are read and imported whole at run time, but for the mirror recipes of the phases, which a lab reads. */
const SCANNED = ['activities/phases', 'workflows'];

/** Runs only in a clone without a Temporal server: a container is given the address of one. */
const CLONE_ONLY = ['worker/temporal-server/sdk-download.ts'];

/** Files that a source names beside its imports: child processes, threads, data files. */
function namedFiles(path: string, text: string): string[] {
  const urls = [...text.matchAll(/new URL\(\s*'(\.[^']+)',\s*import\.meta\.url/g)].map((match) => match[1]!);
  const joins = [...text.matchAll(/import\.meta\.dirname,\s*'([^']+)'/g)].map((match) => match[1]!);
  return [...urls, ...joins].map((name) => join(dirname(path), name));
}

/** All files that the entries need, and the packages they import as values. */
function closure(): { files: Set<string>; packages: Map<string, string> } {
  const files = new Set<string>();
  const packages = new Map<string, string>();
  const open = [
    ...ENTRIES,
    ...SCANNED.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true }).map((name) => `${folder}/${String(name)}`),
    ).filter((path) => !path.endsWith('/mirror.ts')),
  ];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (files.has(path) || !existsSync(join(root, path)) || !statSync(join(root, path)).isFile()) continue;
    files.add(path);
    if (!path.endsWith('.ts')) continue;
    const text = readFileSync(join(root, path), 'utf8');
    // Node strips types by syntax: a type-only import loads nothing.
    for (const { from, typeOnly } of imports(text)) {
      if (typeOnly) continue;
      if (CLONE_ONLY.includes(path) && !from.startsWith('.')) continue;
      if (from.startsWith('.')) open.push(join(dirname(path), from));
      else if (!from.startsWith('node:'))
        packages.set(
          from
            .split('/')
            .slice(0, from[0] === '@' ? 2 : 1)
            .join('/'),
          path,
        );
    }
    open.push(...namedFiles(path, text));
  }
  return { files, packages };
}

describe('the image', () => {
  const needed = closure();
  const copied = new Map(imageFiles(root).map(({ from, to }) => [from, to]));

  it('is checked as a whole', () => {
    expect([...needed.files]).toEqual(
      expect.arrayContaining([
        'audit/signing-key.ts',
        'worker/bundle-child.ts',
        'activities/phases/catalogue.ts',
        'activities/phases/etcd/artifacts.ts',
        'codec/failure-converter.ts',
        'package.json',
      ]),
    );
    expect(needed.files.size).toBeGreaterThan(200);
  });

  it('has every file that api, worker and CLI import, where they look for it', () => {
    const missing = [...needed.files].filter((path) => copied.get(path) !== `/app/${path}`);
    expect(missing, 'Dockerfile or .dockerignore leave these out').toEqual([]);
  });

  it('has no tests, no lab and no tools of the developers', () => {
    const kinds = new Set([...copied.keys()].map((path) => path.split('/').slice(0, 2).join('/')));
    for (const folder of ['test', 'lab', 'cli/dev']) {
      expect([...kinds].filter((kind) => kind === folder || kind.startsWith(`${folder}/`))).toEqual([]);
    }
  });

  it('has every package that they import: none is for development only', () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    const missing = [...needed.packages].filter(([name]) => !Object.hasOwn(dependencies, name));
    expect(missing).toEqual([]);
  });

  it('runs on the Node that the tests run on', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    for (const { base } of parseDockerfile(readFileSync(join(root, 'Dockerfile'), 'utf8'))) {
      expect(base).toBe(`node:${devDependencies['node']}-bookworm-slim`);
    }
  });
});

describe('.dockerignore', () => {
  it('is read as Docker reads it', () => {
    const included = buildContext('*\n!api\n!cli/main.ts\n# a comment\n!docs\ndocs/secret.md\n');
    expect(['api/x/y.ts', 'cli/main.ts', 'docs/a.md'].filter(included)).toHaveLength(3);
    expect(['audit/x.ts', 'cli/dev/test.ts', 'docs/secret.md', '.env'].filter(included)).toEqual([]);
  });
});

describe('a Dockerfile', () => {
  it('is read line by line, and an unknown instruction is not skipped', () => {
    const [first, second] = parseDockerfile('FROM a AS b\nRUN x \\\n  && y\nFROM c\nCOPY --from=b /p ./q\n');
    expect(first).toMatchObject({ base: 'a', name: 'b', steps: [{ name: 'RUN', text: 'x && y' }] });
    expect(second?.steps).toEqual([{ name: 'COPY', text: '/p ./q', flags: { from: 'b' } }]);
    expect(() => parseDockerfile('FROM a\nADD http://x /y\n')).toThrow('ADD http://x /y');
  });
});
