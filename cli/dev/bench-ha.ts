import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { Command, Option } from 'commander';
import { labDown, labUp } from '../../lab/lab.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { ApiClient } from './api-client.ts';
import { writeFigures } from './bench-page.ts';
import { CASES } from './ha/cases/index.ts';
import { HaCluster } from './ha/cluster.ts';
import { InsideClient } from './ha/inside-client.ts';
import { KubeClient } from './ha/kube-client.ts';
import { type Measured, measure } from './ha/measure.ts';
import { PROVIDERS, type ProviderName, providers, specFor } from './ha/providers.ts';
import { line, missed, table } from './ha/report.ts';
import { demoRootOf } from './paths.ts';
import { ensureService, stopService } from './services.ts';

/**
 * `npm run bench:ha`: what clients notice while parts of a cluster with three control planes are lost or changed. A
 * client writes through the endpoint of the API servers, and a pod calls a service (docs/benchmarks.md). Prints a line
 * per case, whatever it is. Ends with 1 when a case could not be carried out or an acknowledged write is missing.
 */
const NAMESPACE = `bench-${Date.now()}`;

const program = new Command('bench:ha')
  .description('Measure what clients notice while parts of a control plane are lost, on lab hosts')
  .addOption(new Option('--provider <name>', 'way to the API servers').choices(PROVIDERS).default('load-balancer'))
  .addOption(new Option('--case <name...>', 'only these cases').choices(CASES.map(({ name }) => name)))
  .option('--name <name>', 'name of the lab, at most 8 characters', 'benchha')
  .option('--keep', 'leave lab, service and cluster running, or use those that an earlier run left')
  .option('--write', 'put the figures into docs/benchmarks.md')
  .parse();
const options = program.opts<{ provider: ProviderName; case?: string[]; name: string; keep?: true; write?: true }>();
const { provider, name } = options;
const cases = CASES.filter(
  (one) => one.providers.includes(provider) && (options.case === undefined || options.case.includes(one.name)),
);
if (cases.length === 0) throw new Error(`${options.case?.join(', ')}: no such case with ${provider}`);

const folder = demoRootOf(name);
const began = Date.now();
const say = (text: string) =>
  process.stderr.write(`${((Date.now() - began) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);

async function cleanUp(): Promise<void> {
  await stopService(folder);
  await labDown(name, () => undefined);
  rmSync(folder, { recursive: true, force: true });
}

async function built(): Promise<HaCluster> {
  await resolveTemporalBinary({ onProgress: say });
  if (!options.keep) await cleanUp();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lab = await labUp({ name, hosts: providers[provider].hosts });
  await providers[provider].prepare(lab);
  const service = await ensureService(folder, say, 0);
  const api = new ApiClient(service.url, readFileSync(service.tokenFile, 'utf8').trim());
  const cluster = new HaCluster(lab, api, specFor(provider, lab));
  say(`${lab.hosts.length} hosts are up; building the cluster`);
  await cluster.build();
  return cluster;
}

async function run(cluster: HaCluster): Promise<{ measured: Measured[]; stopped: string }> {
  const { access, within = [] } = await providers[provider].client(cluster);
  const client = new KubeClient(await cluster.access());
  const inside = await InsideClient.start({
    ...{ client, lab: cluster.lab, namespace: NAMESPACE },
    hosts: ['worker-1', 'worker-2'],
  });
  const measured: Measured[] = [];
  for (const one of cases) {
    try {
      await cluster.healthy();
      say(`case ${one.name}`);
      const outside = { access, within, namespace: NAMESPACE, prefix: `${one.name}-${Date.now()}` };
      const result = await measure(one, { cluster, inside, outside });
      say(line(result));
      measured.push(result);
      if (result.writer.missing.length > 0) process.exitCode = 1;
    } catch (error) {
      // The cluster is in an unknown state: further cases would measure that.
      const stopped = `The case "${one.title}" could not be carried out, nor any after it: ${String(error)}`;
      say(stopped);
      process.exitCode = 1;
      return { measured, stopped: `\n\n${stopped.slice(0, 1000)}` };
    }
  }
  return { measured, stopped: '' };
}

try {
  const cluster = await built();
  say('the cluster is built');
  const { measured, stopped } = await run(cluster);
  const text = `${table(measured, cluster.lab.hosts.length)}${stopped}`;
  console.log(text);
  const reached = measured.filter((each) => missed(each).length === 0).length;
  console.log(
    `\n${reached} of ${cases.length} cases reached their goals, in ${Math.round((Date.now() - began) / 1000)} s`,
  );
  if (options.write) writeFigures(`bench:ha ${provider}`, text);
} finally {
  if (!options.keep) await cleanUp();
}
