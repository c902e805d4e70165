import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultCacheDir } from '../../lab/paths.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { ensureService, stopService } from './services.ts';

/** Pinned: another version tries other things, and a run must mean the same tomorrow. */
const SCHEMATHESIS = '4.32.5';
const DEFAULT_SECONDS = 120;

/** A stream without an end, and what would take the fuzzer's own token or keys away from under it. */
const LEFT_OUT = ['followCluster', 'revokeToken'];

/**
 * `npm run test:fuzz [-- --seconds 120 --seed N]`: Schemathesis over every route of the OpenAPI document, against the
 * real embedded service (API, worker, Temporal, SQLite) with an admin's token. Fails on an answer of 5xx, except 503 with
 * Retry-After (a busy machine), on an unhandled rejection, and when the service dies. Prints the seed of a failed run.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
  const seconds = Number(values.seconds ?? DEFAULT_SECONDS);
  const seed = values.seed ?? String(Date.now() % 1_000_000);
  const program = await install();
  await resolveTemporalBinary({ onProgress: () => undefined });
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-fuzz-'));
  try {
    const service = await ensureService(folder, (line) => console.error(line));
    const token = readFileSync(service.tokenFile, 'utf8').trim();
    writeFileSync(
      join(folder, 'schemathesis.toml'),
      '[checks]\nnot_a_server_error.expected-statuses = ["1xx", "2xx", "3xx", "4xx", 503]\n',
    );
    console.error(`fuzzing ${service.url} for ${seconds} s, seed ${seed}`);
    const found = await run(
      [
        program,
        ...['--config-file', join(folder, 'schemathesis.toml'), 'run', `${service.url}/docs/json`],
        ...['--checks', 'not_a_server_error', '--phases', 'examples,coverage,fuzzing'],
        ...['--max-time', String(seconds), '--seed', seed, '--request-timeout', '90', '--continue-on-failure'],
        ...['--warnings', 'off', '--suppress-health-check', 'all', '--header', `Authorization: Bearer ${token}`],
        ...LEFT_OUT.flatMap((id) => ['--exclude-operation-id', id]),
      ],
      folder,
    );
    const problems = serviceProblems(service.logFile);
    const alive = await fetch(`${service.url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (!alive) problems.push('the service no longer answers');
    for (const problem of problems) console.error(`service: ${problem}`);
    const failed = found !== 0 || problems.length > 0;
    console.log(failed ? `fuzz: failed (--seed ${seed})` : `fuzz: nothing found (seed ${seed})`);
    return failed ? 1 : 0;
  } finally {
    await stopService(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Schemathesis in a Python environment of its own, made once. Returns the program's path. */
async function install(): Promise<string> {
  const home = join(defaultCacheDir(), `schemathesis-${SCHEMATHESIS}`);
  const program = join(home, 'bin/schemathesis');
  if (existsSync(program) && spawnSync(program, ['--version']).status === 0) return program;
  rmSync(home, { recursive: true, force: true });
  mkdirSync(defaultCacheDir(), { recursive: true });
  console.error(`installing schemathesis ${SCHEMATHESIS} into ${home}`);
  for (const argv of [
    ['python3', '-m', 'venv', home],
    [join(home, 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check', `schemathesis==${SCHEMATHESIS}`],
  ]) {
    const code = await run(argv, defaultCacheDir());
    if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}`);
  }
  return program;
}

/** Lines of the service's log that say that something of ours was not caught. */
function serviceProblems(logFile: string): string[] {
  return readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => /unhandled|uncaught|"level":60|code":"INTERNAL"/i.test(line))
    .slice(0, 20)
    .map((line) => line.slice(0, 1000));
}

function run(argv: readonly string[], cwd: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const [command, ...args] = argv;
    const child = spawn(command!, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

process.exitCode = await main();
