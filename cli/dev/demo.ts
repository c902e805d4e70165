import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { ArtifactResolver } from '../../activities/artifacts/mirror-artifacts.ts';
import { imageRef } from '../../activities/kube/images.ts';
import { BUSYBOX } from '../../activities/phases/verify/public.ts';
import { clusterSpec } from '../../contracts/cluster.ts';
import { labDown, labUp } from '../../lab/lab.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { ApiClient } from './api-client.ts';
import { mirrorKubectl } from './mirror-kubectl.ts';
import { demoRootOf } from './paths.ts';
import { healthLines, ProgressDisplay } from './progress.ts';
import { ensureService, stopService } from './services.ts';

/**
 * `npm run demo`: install what is missing, three lab hosts, Temporal, worker and API, and the sample cluster built before
 * your eyes. Progress goes to standard error; `--json` puts one machine-readable line last on standard output.
 */
interface DemoOptions {
  exit?: true;
  json?: true;
  down?: true;
  hosts: string;
}

const started = Date.now();
const say = (line: string) => {
  const seconds = Math.round((Date.now() - started) / 1000);
  process.stderr.write(`[${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}] ${line}\n`);
};

/** The lab, the cluster and the demo's folder share one name; tests use their own. */
const name = process.env['KUBEWRIGHT_DEMO_NAME'] ?? 'demo';
const folder = demoRootOf(name);

async function up(options: DemoOptions): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  say('Kubewright demo: 3 Linux hosts, Temporal, and a Kubernetes cluster. The first run builds everything it needs.');
  // A silent minute looks like a hang: repeat the present steps.
  const lately = new Map<string, string>();
  let lastReport = Date.now();
  const progress = (source: string) => (line: string) => {
    lately.set(source, line);
    lastReport = Date.now();
    say(`${source}: ${line}`);
  };
  const reminder = setInterval(() => {
    if (Date.now() - lastReport < 20_000) return;
    lastReport = Date.now();
    say(`still running: ${[...lately].map(([source, line]) => `${source}: ${line}`).join('; ')}`);
  }, 5_000);
  const [lab] = await Promise.all([
    labUp({ name, hosts: Number(options.hosts), onProgress: progress('lab') }),
    resolveTemporalBinary({ onProgress: progress('temporal') }),
  ]).finally(() => clearInterval(reminder));

  say('starting Temporal, worker and API');
  const service = await ensureService(folder, say);
  const api = new ApiClient(service.url, readFileSync(service.tokenFile, 'utf8').trim());
  say(`API at ${service.url} (docs at ${service.url}/docs, token in ${service.tokenFile})`);

  const phases = await api.phases();
  const posted = Date.now();
  const operation = await continueOrPost(api, lab.spec);
  const display = new ProgressDisplay(process.stderr);
  const status = await api.follow(name, operation, (now) => display.show(now, phases));
  const durationMs = Date.now() - posted;
  if (status.state !== 'succeeded') {
    for (const task of status.tasks.filter((each) => each.error)) {
      say(`${task.phase} on ${task.host} ${task.state}: ${task.error?.code} ${task.error?.message}`);
      if (task.error?.evidence) process.stderr.write(`${task.error.evidence}\n`);
    }
    throw new Error(
      `the build is ${status.state}; GET ${service.url}/clusters/${name} says more (log: ${service.logFile})`,
    );
  }

  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, await api.request<string>('GET', `/clusters/${name}/kubeconfig`), { mode: 0o600 });
  say(`built in ${(durationMs / 1000).toFixed(1)} s`);
  for (const line of healthLines(status.health)) say(line);
  const kubectl = await mirrorKubectl(folder);
  const { stdout: nodes } = await promisify(execFile)(kubectl, [
    '--kubeconfig',
    kubeconfig,
    'get',
    'nodes',
    '-o',
    'wide',
  ]);
  process.stderr.write(`\n${nodes}\n`);
  const login = await api.request<{ path: string }>('POST', '/login-codes');
  process.stderr.write(
    [
      `Web UI       ${service.url}${login.path}   (logs in once, within 5 minutes)`,
      `API          ${service.url}   (OpenAPI at ${service.url}/docs)`,
      `Token        ${service.tokenFile}`,
      `kubectl      export KUBECONFIG=${kubeconfig}`,
      `             ${kubectl} get pods --all-namespaces`,
      `Dashboard    ${kubectl} --kubeconfig ${kubeconfig} --namespace kube-system port-forward service/dashboard 8081:80`,
      `             then open http://127.0.0.1:8081`,
      '',
      'Try next:',
      `  curl -H "Authorization: Bearer $(cat ${service.tokenFile})" ${service.url}/clusters/${name}`,
      `  curl -H "Authorization: Bearer $(cat ${service.tokenFile})" ${service.url}/clusters/${name}/history`,
      '  npm run demo            a second build: changes nothing, and ends within seconds',
      '  npm run demo -- --down  remove everything again',
      '',
    ].join('\n'),
  );
  if (options.json) {
    const answer = {
      cluster: name,
      api: service.url,
      tokenFile: service.tokenFile,
      kubeconfig,
      durationMs,
      operation,
      hosts: lab.hosts.map(({ name: host, address, port, user, sshKey }) => ({
        name: host,
        address,
        port,
        user,
        sshKey,
      })),
      smokeImage: await smokeImage(lab.spec),
    };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  if (!options.exit) {
    say('Everything keeps running, also after Ctrl-C; `npm run demo -- --down` removes it.');
    await new Promise<void>((resolve) => {
      process.once('SIGINT', resolve);
      process.once('SIGTERM', resolve);
      setInterval(() => undefined, 60_000);
    });
  }
}

async function down(): Promise<void> {
  say('stopping services');
  await stopService(folder);
  await labDown(name, (line) => say(`lab: ${line}`));
  rmSync(folder, { recursive: true, force: true });
  say('removed the whole demo (the caches under ~/.cache/kubewright stay for the next run)');
}

/** Go on with what an earlier run left unfinished, else POST the sample cluster. */
async function continueOrPost(api: ApiClient, spec: unknown): Promise<string> {
  const { items } = await api.request<{ items: { name: string; operation: string | null }[] }>('GET', '/clusters');
  const latest = items.find((each) => each.name === name)?.operation;
  const status = latest ? await api.operation(name, latest) : null;
  if (latest && status && !['succeeded', 'failed', 'cancelled', 'lost'].includes(status.state)) {
    say(`an earlier build is ${status.state}: continuing with operation ${latest}`);
    if (status.state === 'paused' || status.state === 'pausing') {
      await api.request('POST', `/clusters/${name}/resume`, {});
    }
    for (const host of status.blockedHosts) await api.request('POST', `/clusters/${name}/hosts/${host}/retry`, {});
    // Blocked ends the event stream: wait until the decision has been taken up.
    const deadline = Date.now() + 5_000;
    while ((await api.operation(name, latest)).state === 'blocked' && Date.now() < deadline) await sleep(100);
    return latest;
  }
  const { operation } = await api.request<{ operation: string }>('POST', '/clusters', spec);
  say(`POST /clusters: operation ${operation}`);
  return operation;
}

/** A busybox in the cluster's own registry, to run a pod with. */
async function smokeImage(spec: unknown): Promise<string> {
  const cluster = clusterSpec.parse(spec);
  const artifacts = new ArtifactResolver().sourceFor(cluster);
  return imageRef({ cluster, artifacts }, BUSYBOX);
}

const program = new Command('demo')
  .description('Build the sample cluster on three lab hosts')
  .option('--exit', 'end after success; hosts and services keep running')
  .option('--json', 'print one machine-readable line last on standard output')
  .option('--down', 'stop everything and remove every trace')
  .option('--hosts <n>', 'lab hosts', '3')
  .allowExcessArguments(false);
program.parse();
const options = program.opts<DemoOptions>();
try {
  await (options.down ? down() : up(options));
  process.exit(0);
} catch (error) {
  say(`failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
