import { mkdirSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { demoRootOf } from '../../../cli/dev/paths.ts';
import type { OperationStatus } from '../../../contracts/operation.ts';
import { labDown, labUp } from '../../../lab/lab.ts';
import { type ChaosBuild, chaosBuild } from './build.ts';
import { clusterProblems, straysOn, temporalEvidence } from './evidence.ts';
import { JournalWatch } from './journal.ts';
import { missingNumbers, repeatedAfterSuccess, unexplainedGaps } from './judge.ts';
import { type Command, commandsOf, HOST_FAULTS, type Point } from './points.ts';
import { Services } from './services.ts';

const NAME = 'kwx';
const HOSTS = 3;
/** Each killed worker costs this long; less, and a busy machine would lose heartbeats of workers that live. */
const HEARTBEAT_MS = '8000';
/** A rebooted node, or pods on it, need a while until they are well again; left-behind commands end by themselves. */
const WELL_LIMIT_MS = 240_000;

export interface CaseOutcome {
  build: ChaosBuild;
  /** Everything that is not as it must be; empty when the build stood it all. */
  problems: string[];
}

/** A build without faults: the commands that a build has, in the order of its plan. */
export async function referenceBuild(): Promise<{ commands: Command[]; problems: string[] }> {
  return withCluster(async ({ lab, services, journal }) => {
    const build = await chaosBuild({ lab, services, journal }, []);
    const commands = commandsOf(journal.rows(build.operation), build.status.tasks);
    return { commands, problems: await judged({ lab, services, journal }, build) };
  });
}

/** One build on fresh hosts with fresh services, struck at every point; then everything that must hold. */
export async function chaosCase(points: readonly Point[]): Promise<CaseOutcome> {
  return withCluster(async (at) => {
    const build = await chaosBuild(at, points);
    return { build, problems: await judged(at, build) };
  });
}

interface Cluster {
  lab: Awaited<ReturnType<typeof labUp>>;
  services: Services;
  journal: JournalWatch;
}

async function withCluster<T>(work: (at: Cluster) => Promise<T>): Promise<T> {
  const folder = demoRootOf(NAME);
  await cleanUp(folder);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const services = await Services.start(folder, { KUBEWRIGHT_HEARTBEAT_TIMEOUT_MS: HEARTBEAT_MS });
  try {
    const lab = await labUp({ name: NAME, hosts: HOSTS });
    const journal = await JournalWatch.open(services.dataDir);
    try {
      return await work({ lab, services, journal });
    } finally {
      await journal.close();
    }
  } finally {
    await services.stop();
    await cleanUp(folder);
  }
}

async function cleanUp(folder: string): Promise<void> {
  await Services.endLeftovers(folder);
  await labDown(NAME);
  rmSync(folder, { recursive: true, force: true });
}

async function judged({ lab, services, journal }: Cluster, build: ChaosBuild): Promise<string[]> {
  const problems: string[] = [];
  const { operation, status, struck, decided } = build;
  const told = await services.api.operation(lab.name, operation);
  if (told.state !== 'succeeded' || status.state !== 'succeeded') {
    return [`the build is ${told.state}: ${JSON.stringify(told.tasks.filter((task) => task.error))}`];
  }

  const unlucky = struck.filter(({ point }) => (HOST_FAULTS as readonly string[]).includes(point.fault));
  if (decided.length > unlucky.length * HOSTS) problems.push(`too many decisions: ${JSON.stringify(decided)}`);
  if (unlucky.length === 0 && decided.length > 0)
    problems.push(`decisions without a lost host: ${JSON.stringify(decided)}`);

  problems.push(...(await atLast(() => clusterProblems(lab))));
  const again = await unchangedBuild(services, lab);
  problems.push(...again.problems);

  const rows = journal.rows(operation);
  const operations = [operation, again.operation];
  const { failedWorkflowTasks, completed } = await temporalEvidence(services.temporalAddress, lab.name, operations);
  const kills = struck.filter(({ point }) => ['worker', 'all'].includes(point.fault)).map(({ overAt }) => overAt);
  problems.push(
    ...repeatedAfterSuccess(rows, completed),
    ...missingNumbers(rows),
    ...unexplainedGaps(rows, kills),
    ...failedWorkflowTasks.map((cause) => `failed workflow task: ${cause}`),
    ...(await gapsShown(services, lab.name, operation, rows.filter((row) => row.endedAt === null).length)),
    ...(await atLast(() => straysOn(lab))).map((stray) => `left behind on ${stray}`),
  );
  return problems;
}

/** A further build finds everything as it should be. */
async function unchangedBuild(
  services: Services,
  lab: Cluster['lab'],
): Promise<{ operation: string; problems: string[] }> {
  const { api } = services;
  const { operation } = await api.request<{ operation: string }>('POST', '/clusters', lab.spec);
  const status: OperationStatus = await api.follow(lab.name, operation);
  const changed = status.tasks.filter((task) => (task.changeCount ?? 0) > 0 || (task.restarts ?? 0) > 0);
  return {
    operation,
    problems: [
      ...(status.state === 'succeeded' ? [] : [`the further build is ${status.state}`]),
      ...changed.map(
        ({ phase, host, changeCount, restarts }) =>
          `the further build changed ${changeCount} things and restarted ${restarts} units: ${phase} on ${host}`,
      ),
    ],
  };
}

/** Commands that have no end in the journal are told as such by the API. */
async function gapsShown(services: Services, cluster: string, operation: string, open: number): Promise<string[]> {
  const items = await services.api.commands(cluster, { operation });
  const shown = items.filter(({ endedAt }) => endedAt === null).length;
  return shown === open ? [] : [`the journal has ${open} commands without an end, the API shows ${shown}`];
}

/** What is still wrong when the time is up; what was well at any look counts as well. */
async function atLast(look: () => Promise<string[]>): Promise<string[]> {
  const deadline = Date.now() + WELL_LIMIT_MS;
  for (;;) {
    const problems = await look().catch((error: unknown) => [`cannot be asked: ${String(error).slice(0, 300)}`]);
    if (problems.length === 0 || Date.now() > deadline) return problems;
    await sleep(500);
  }
}
