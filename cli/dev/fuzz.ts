import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { limitEnvironment } from '../../api/limits.ts';
import { openAudited } from '../../audit/audited-store.ts';
import { problemText } from '../../audit/problem.ts';
import { verifyDatabase } from '../../audit/verify-database.ts';
import { API_VERSION } from '../../contracts/cluster.ts';
import { ensureDebianPackages } from '../../lab/debian.ts';
import { defaultCacheDir } from '../../lab/paths.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { ApiClient } from './api-client.ts';
import { ensureService, stopService } from './services.ts';

/** Pinned: another version tries other things, and a run must mean the same tomorrow. */
const SCHEMATHESIS = '4.32.5';
const DEFAULT_SECONDS = 120;

/** A stream without an end, and what would take the fuzzer's own token or keys away from under it. */
const LEFT_OUT = ['followCluster', 'followAll', 'revokeToken'];

/** A cluster that is there: its one host refuses connections, so its build waits for decisions. */
const CLUSTER = 'fuzzed';
const HOST = 'cp-1';

/** One run of Schemathesis: whose token, and whether names are those of what is there, or whatever comes to its mind. */
interface Pass {
  role: 'admin' | 'operator' | 'viewer';
  names: 'any' | 'known';
}
/** The last one takes the cluster away, if it comes to that. */
const PASSES: readonly Pass[] = [
  { role: 'admin', names: 'any' },
  { role: 'viewer', names: 'known' },
  { role: 'operator', names: 'known' },
  { role: 'admin', names: 'known' },
];
const CHECKS = ['not_a_server_error', 'status_code_conformance', 'content_type_conformance'];

/**
 * `npm run test:fuzz [-- --seconds 120 --seed N]`: Schemathesis over every route of the OpenAPI document, against the
 * real embedded service (API, worker, Temporal, SQLite) with tokens of every role, on a cluster that is there and on
 * others. Fails on an answer of 5xx, except 503 with Retry-After (a busy machine), on a status or content type that the
 * document does not name, on an unhandled rejection, when the service dies, and when its journal is not whole
 * afterwards. Prints the seed of a failed run.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
  const seconds = Number(values.seconds ?? DEFAULT_SECONDS);
  const seed = values.seed ?? String(Date.now() % 1_000_000);
  const program = await install();
  await resolveTemporalBinary({ onProgress: () => undefined });
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-fuzz-'));
  // It asks as fast as it can, and the limits are not what is tried.
  for (const name of Object.keys(limitEnvironment)) process.env[name] = '1000000';
  const answers = join(folder, 'answers.log');
  process.env['KUBEWRIGHT_CHECK_ANSWERS'] = answers;
  try {
    const service = await ensureService(folder, (line) => console.error(line), 0);
    const admin = readFileSync(service.tokenFile, 'utf8').trim();
    const api = new ApiClient(service.url, admin);
    await makeCluster(api, folder);
    const problems: string[] = [];
    for (const pass of PASSES) {
      const { token } = await api.request<{ token: string }>('POST', '/tokens', { name: pass.role, role: pass.role });
      const config = join(folder, 'schemathesis.toml');
      writeFileSync(config, settings(pass));
      console.error(`fuzzing ${service.url} as ${pass.role}, ${pass.names} names, seed ${seed}`);
      const argv = [
        program,
        ...['--config-file', config, 'run', `${service.url}/docs/json`, '--checks', CHECKS.join()],
        ...['--max-time', String(Math.ceil(seconds / PASSES.length)), '--seed', seed, '--request-timeout', '120'],
        ...['--continue-on-failure', '--warnings', 'off', '--suppress-health-check', 'all'],
        ...['--header', `Authorization: Bearer ${token}`],
        ...LEFT_OUT.flatMap((id) => ['--exclude-operation-id', id]),
      ];
      if ((await run(argv, folder)) !== 0) problems.push(`found as ${pass.role}, ${pass.names} names`);
    }
    const alive = await fetch(`${service.url}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (!alive) problems.push('the service no longer answers');
    await stopService(folder);
    problems.push(...serviceProblems(service.logFile), ...differences(answers), ...(await journalProblems(folder)));
    for (const problem of problems) console.error(`fuzz: ${problem}`);
    console.log(problems.length > 0 ? `fuzz: failed (--seed ${seed})` : `fuzz: nothing found (seed ${seed})`);
    return problems.length > 0 ? 1 : 0;
  } finally {
    await stopService(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function makeCluster(api: ApiClient, folder: string): Promise<void> {
  const ssh = { credential: { keyFile: join(folder, 'no-key') }, port: 1 };
  const host = { name: HOST, address: '127.0.0.1', roles: ['control-plane', 'etcd', 'worker'], ssh };
  await api.request('POST', '/clusters', {
    ...{ apiVersion: API_VERSION, kind: 'Cluster', metadata: { name: CLUSTER } },
    spec: { hosts: [host], ssh },
  });
}

/** Schemathesis's settings for a pass. A followed history has no end either. */
function settings({ names }: Pass): string {
  const known = names === 'known' ? `[parameters]\n"path.name" = "${CLUSTER}"\n"path.host" = "${HOST}"\n` : '';
  return `${known}
[checks]
not_a_server_error.expected-statuses = ["1xx", "2xx", "3xx", "4xx", 503]

[[operations]]
include-operation-id = "getHistory"
parameters = { "query.follow" = "false"${names === 'known' ? `, "path.name" = "${CLUSTER}"` : ''} }
`;
}

async function journalProblems(folder: string): Promise<string[]> {
  const store = await openAudited(join(folder, 'data'), undefined);
  try {
    const { problems } = await verifyDatabase(store, join(folder, 'spool'));
    return problems.map((each) => `journal: ${problemText(each)}`);
  } finally {
    await store.close();
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
  await ensureDebianPackages(['python3-venv']);
  for (const argv of [
    ['python3', '-m', 'venv', home],
    [join(home, 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check', `schemathesis==${SCHEMATHESIS}`],
  ]) {
    const code = await run(argv, defaultCacheDir());
    if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}`);
  }
  return program;
}

/** Answers that differed from the OpenAPI document. */
const differences = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(0, 20) : [];

/** Lines of the service's log that say that something of ours was not caught. */
function serviceProblems(logFile: string): string[] {
  return readFileSync(logFile, 'utf8')
    .split('\n')
    .filter((line) => /unhandled|uncaught|"level":60|code":"INTERNAL"/i.test(line))
    .slice(0, 20)
    .map((line) => `service: ${line.slice(0, 1000)}`);
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
