// Preloaded (`--import`) by our processes: gives Node our TypeScript with its types stripped already, from
// node_modules/.cache/kubewright, by the content of the file. Node's own stripper is a WebAssembly program that takes 22 MiB
// in every process that loads one TypeScript file (measured); here it is loaded only for a file that is not cached yet.
// scripts/bootstrap.mjs fills the cache after it has installed the packages: `node worker/strip-types.mjs FOLDER...`.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '..');
const modules = join(root, 'node_modules');
// Of one version of Node: what its stripper writes is not ours to compare.
const cache = join(modules, '.cache/kubewright', process.version);

registerHooks({
  load(url, context, next) {
    if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context);
    const path = fileURLToPath(url);
    if (!path.startsWith(root) || path.startsWith(modules)) return next(url, context);
    return { format: 'module', source: stripped(readFileSync(path, 'utf8')), shortCircuit: true };
  },
});

/** The JavaScript of a TypeScript text; lines and columns stay where they are. */
function stripped(text) {
  const path = join(cache, `${createHash('sha256').update(text).digest('hex')}.js`);
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not cached yet.
  }
  const code = stripTypeScriptTypes(text);
  try {
    mkdirSync(cache, { recursive: true });
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, code);
    renameSync(draft, path);
  } catch {
    // An installation that this user may not write to works as well, with more memory.
  }
  return code;
}

if (process.argv[1] === import.meta.filename) {
  for (const folder of process.argv.slice(2)) {
    for (const name of readdirSync(join(root, folder), { recursive: true })) {
      if (name.endsWith('.ts') && !name.endsWith('.d.ts')) stripped(readFileSync(join(root, folder, name), 'utf8'));
    }
  }
}
