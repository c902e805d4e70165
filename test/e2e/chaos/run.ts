import { setTimeout as sleep } from 'node:timers/promises';
import { troubleOf } from '../../support/trouble.ts';
import { type ChaosBuild, chaosBuild } from './build.ts';
import { type Cluster, withCluster } from './cluster.ts';
import { clusterProblems, straysOn, temporalEvidence } from './evidence.ts';
import { missingNumbers, repeatedAfterSuccess, unexplainedGaps } from './judge.ts';
import { type Command, commandsOf, faultsOf, isHostFault, type Point } from './points.ts';
import type { Services } from './services.ts';
import { sessionsOf, unreported } from './sessions.ts';
import { WatchedBuild } from './watched-build.ts';

/** Each killed worker costs a heartbeat timeout; with less, a busy machine would lose heartbeats of workers that live. */
const CLUSTER = { name: 'kwx', hosts: 3, env: { KUBEWRIGHT_HEARTBEAT_TIMEOUT_MS: '8000' } };
/** A rebooted node, or pods on it, need a while until they are well again; left-behind commands end by themselves. */
const WELL_LIMIT_MS = 240_000;

export interface CaseOutcome {
  build: ChaosBuild;
  /** Everything that is not as it must be; empty when the build stood it all. */
  problems: string[];
}

/** A build without faults: the commands that a build has, in the order of its plan. */
export async function referenceBuild(): Promise<{ commands: Command[]; problems: string[] }> {
  return withCluster(CLUSTER, async (at) => {
    const build = await chaosBuild(at, []);
    const commands = commandsOf(at.journal.rows(build.operation), build.status.tasks);
    return { commands, problems: await judged(at, build) };
  });
}

/** One build on fresh hosts with fresh services, struck at every point; then everything that must hold. */
export async function chaosCase(points: readonly Point[]): Promise<CaseOutcome> {
  return withCluster(CLUSTER, async (at) => {
    const build = await chaosBuild(at, points);
    return { build, problems: await judged(at, build) };
  });
}

/** Everything that must hold after a build, whatever was done to it: what does not, in words. */
export async function judged(at: Cluster, build: ChaosBuild): Promise<string[]> {
  const { lab, services, journal } = at;
  const problems: string[] = [];
  const { operation, status, struck, decided } = build;
  const told = await services.api.operation(lab.name, operation);
  if (told.state !== 'succeeded' || status.state !== 'succeeded') {
    return [`the build is ${told.state}: ${JSON.stringify(told.tasks.filter((task) => task.error))}`];
  }

  const unlucky = struck.flatMap(({ point }) => faultsOf(point)).filter(({ fault }) => isHostFault(fault));
  if (decided.length > unlucky.length * lab.hosts.length)
    problems.push(`too many decisions: ${JSON.stringify(decided)}`);
  if (unlucky.length === 0 && decided.length > 0)
    problems.push(`decisions without a lost host: ${JSON.stringify(decided)}`);

  problems.push(...(await atLast(() => clusterProblems(lab))));
  const again = await unchangedBuild(at);
  problems.push(...again.problems);

  const rows = journal.rows(operation);
  const operations = [operation, again.operation];
  const { failedWorkflowTasks, completed } = await temporalEvidence(
    services.temporalAddress,
    lab.name,
    operations,
    journal.payloadKeys,
  );
  const kills = struck
    .filter(({ point }) => faultsOf(point).some(({ fault }) => ['worker', 'all'].includes(fault)))
    .map(({ overAt }) => overAt);
  problems.push(
    ...repeatedAfterSuccess(
      rows,
      completed.filter((task) => task.operation === operation),
    ),
    ...missingNumbers(rows),
    ...unreported(await sessionsOf(lab), at.sessionsBefore, [...rows, ...journal.rows(again.operation)]),
    ...unexplainedGaps(rows, kills),
    ...failedWorkflowTasks.map((cause) => `failed workflow task: ${cause}`),
    ...(await gapsShown(services, lab.name, operation, journal.openRecords(operation))),
    ...(await atLast(() => straysOn(lab))).map((stray) => `left behind on ${stray}`),
  );
  return problems;
}

/** A further build finds everything as it should be. */
async function unchangedBuild(at: Cluster): Promise<{ operation: string; problems: string[] }> {
  const build = await WatchedBuild.start(at);
  const { operation } = build;
  const status = await build.until(({ state }) => state === 'blocked');
  const changed = status.tasks.filter((task) => (task.changeCount ?? 0) > 0 || (task.restarts ?? 0) > 0);
  return {
    operation,
    problems: [
      ...(status.state === 'succeeded' ? [] : [`the further build: ${troubleOf(status)}`]),
      ...changed.map(
        ({ phase, host, changeCount, restarts }) =>
          `the further build changed ${changeCount} things and restarted ${restarts} units: ${phase} on ${host}`,
      ),
    ],
  };
}

/** The API shows each record that has no end in the journal, and no other one, as such. */
async function gapsShown(services: Services, cluster: string, operation: string, open: number): Promise<string[]> {
  const items = await services.api.commands(cluster, { operation });
  const shown = items.filter(({ endedAt }) => endedAt === null).length;
  return shown === open ? [] : [`the journal has ${open} records without an end, the API shows ${shown}`];
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
