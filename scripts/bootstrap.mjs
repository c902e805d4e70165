// Makes `npm run X` work on a machine where nothing was installed yet. Plain JavaScript for any Node >= 20, no imports
// of ours: installs the npm packages when they are missing or older than the lock file, then runs the TypeScript entry
// with the pinned Node. Usage: node scripts/bootstrap.mjs run [node flags...] <entry.ts> [args...]
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const marker = join(modules, '.kubewright-installed');
const pinnedNode = join(modules, 'node', 'bin', 'node');

/** See there. */
const stripTypes = new URL('../worker/strip-types.mjs', import.meta.url);
const STRIP = [`--import=${stripTypes.href}`, '--disable-warning=ExperimentalWarning'];
/** What the processes of a service load. */
const SERVICE = ['contracts', 'workflows', 'activities', 'store', 'codec', 'telemetry', 'audit', 'worker', 'api'];

const major = Number(process.versions.node.split('.')[0]);
if (major < 20) fail(`Node ${process.versions.node} is too old to begin with: install Node 20 or newer.`);

const digest = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');

const [verb, ...given] = process.argv.slice(2);
// Flags before the entry are for Node.
const place = given.findIndex((word) => !word.startsWith('--'));
const [flags, entry, args] = [given.slice(0, place), given[place], given.slice(place + 1)];

/** What runs from an installation without development packages. */
const PRODUCTION = ['cli/main.ts', 'api/main.ts', 'worker/main.ts'];

// `npm ci` takes everything away first: never under a service that runs from packages which fit already.
if (!existsSync(pinnedNode) || (!marked() && !fits(verb === 'run' && PRODUCTION.includes(entry)))) install();

if (verb === 'run' && entry) {
  const child = spawn(pinnedNode, [...STRIP, ...flags, join(root, entry), ...args], {
    // The channel closes when this process is killed.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    // The working directory stays the caller's: relative KUBEWRIGHT_DATA means what the caller sees.
    // Two arenas of malloc, see worker/node-flags.ts.
    env: { MALLOC_ARENA_MAX: '2', ...process.env, PATH: `${join(modules, '.bin')}:${process.env.PATH ?? ''}` },
  });
  // The terminal sends Ctrl-C to the whole group; the child decides when to end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal === 'SIGTERM') child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => process.exit(signal ? 128 + (signal === 'SIGINT' ? 2 : 15) : (code ?? 1)));
} else if (verb !== 'install') {
  fail('usage: node scripts/bootstrap.mjs install | run [node flags...] <entry.ts> [args...]');
}

/** This script, or an earlier run of it, found that what is installed is what the lock file says. */
function marked() {
  return existsSync(marker) && readFileSync(marker, 'utf8') === digest;
}

/**
 * What npm wrote down of its last installation (node_modules/.package-lock.json) has every package of the lock file, in
 * that version and content; those of other platforms may be missing, and those of development where `production`.
 */
function fits(production) {
  let there;
  try {
    there = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')).packages ?? {};
  } catch {
    return false;
  }
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  let whole = true;
  for (const [path, { version, integrity, optional, devOptional, dev }] of Object.entries(wanted)) {
    if (path === '' || optional) continue;
    const found = there[path];
    if (!found && (dev || devOptional)) whole = false;
    else if (!found || found.version !== version || found.integrity !== integrity) return false;
  }
  if (!whole) return production;
  try {
    writeFileSync(marker, digest);
  } catch {
    // Packages of another user: the comparison takes milliseconds.
  }
  return true;
}

function install() {
  // Two commands started side by side in one checkout must not install twice.
  const lock = join(root, '.kubewright-install.lock');
  for (let waited = 0; ; waited += 1) {
    try {
      mkdirSync(lock);
      writeFileSync(join(lock, 'pid'), String(process.pid));
      break;
    } catch {
      let pid = 0;
      try {
        pid = Number(readFileSync(join(lock, 'pid'), 'utf8'));
      } catch {}
      const alive = pid > 0 && existsSync(`/proc/${pid}`);
      if (!alive && (pid > 0 || waited > 5)) rmSync(lock, { recursive: true, force: true });
      else spawnSync('sleep', ['1']);
    }
  }
  try {
    if (existsSync(pinnedNode) && existsSync(marker) && readFileSync(marker, 'utf8') === digest) return;
    process.stderr.write('kubewright: installing npm packages (about half a minute, once) ...\n');
    const started = Date.now();
    const result = spawnSync('npm', ['ci', '--loglevel=error', '--no-fund', '--no-audit'], {
      cwd: root,
      // Standard output belongs to the command's own answer (--json).
      stdio: ['ignore', 2, 2],
    });
    if (result.status !== 0) fail('npm ci failed; its words are above.');
    if (!existsSync(pinnedNode)) {
      // Where install scripts are denied, the pinned Node's own preinstall did not run.
      spawnSync('npm', ['rebuild', 'node', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] });
      if (!existsSync(pinnedNode))
        fail('the pinned Node was not installed: allow the install script of the package `node`.');
    }
    writeFileSync(marker, digest);
    // Where it fails, the first service does the same with more memory.
    spawnSync(pinnedNode, [fileURLToPath(stripTypes), ...SERVICE], { stdio: 'ignore' });
    process.stderr.write(`kubewright: npm packages installed in ${Math.round((Date.now() - started) / 1000)} s\n`);
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function fail(message) {
  process.stderr.write(`kubewright: ${message}\n`);
  process.exit(1);
}
