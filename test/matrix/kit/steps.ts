import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterSpec, clusterSpec } from '../../../contracts/cluster.ts';
import type { LabEtcd } from '../../../lab/etcd-server.ts';
import type { ClusterSpecInput } from '../../../lab/types.ts';
import { type Bench, freshBench } from '../../e2e/support.ts';
import { differences } from '../../support/host-snapshot.ts';
import { troubleOf } from '../../support/trouble.ts';
import type { MatrixCase, SpecDraft } from './case.ts';
import { STANDARD_CHECKS } from './checks.ts';
import { CONFORMANCE_FILES, forConformance, runSuite, SUITES, type Suite } from './conformance.ts';
import { labNameOf, specOf } from './draft.ts';
import { createKit, type MatrixKit, until } from './kit.ts';
import type { NamedCase } from './load.ts';
import { build, buildsWithoutChange, changesOf, operate, removeCluster } from './operations.ts';
import type { MatrixResult } from './results.ts';
import { MATRIX_SNAPSHOT } from './snapshot.ts';
import { startExternalEtcd } from './start-etcd.ts';

/** The mirror may have to build what a case needs on demand, on a busy machine. */
const MIRROR_MS = 45 * 60_000;
const SUITE_STEP_MS = 65 * 60_000;

const SNAPSHOT_TRIES = 4;
const SNAPSHOT_PAUSE_MS = 3_000;

/** One step of a case. Throws an Error that says what differs. */
export interface MatrixStep {
  title: string;
  /** When it fails, those behind it but the last ones are skipped. */
  needed?: true;
  /** Takes away what the case made: it runs also after a needed step that failed. */
  last?: true;
  /** Default: that of the tier. */
  timeoutMs?: number;
  run(run: CaseRun): Promise<void>;
}

/** The state of a case while its steps run. */
export class CaseRun {
  readonly each: NamedCase;
  /** The official suite runs instead of a change. */
  readonly conformance: boolean;
  /** What came of its parts. */
  readonly outcomes: NonNullable<MatrixResult['conformance']> = [];
  /** The build was refused, as the case expects on this machine: what is left is to take everything away. */
  refused = false;
  #bench: Bench | undefined;
  #etcd: LabEtcd | undefined;
  #kit: MatrixKit | undefined;
  readonly #before = new Map<string, string>();

  constructor(each: NamedCase, { conformance = false } = {}) {
    this.each = each;
    this.conformance = conformance;
  }

  /** The spec of the case on its hosts. */
  specOn({ lab }: Bench, { changed = false } = {}): ClusterSpecInput {
    const document = specOf(this.each, lab.spec, { changed });
    if (this.conformance) forConformance(document.spec as unknown as SpecDraft);
    return document;
  }

  get kit(): MatrixKit {
    if (!this.#kit) throw new Error('the hosts of the case are not up');
    return this.#kit;
  }

  get hasHosts(): boolean {
    return this.#bench !== undefined;
  }

  async begin(): Promise<void> {
    const { each } = this;
    const phases = [...(each.with ?? []), ...(this.conformance ? [CONFORMANCE_FILES] : [])];
    const os = each.os === undefined ? {} : { os: each.os };
    const bench = await freshBench(labNameOf(each.name), each.hosts, { with: phases, ...os });
    this.#bench = bench;
    if (each.externalEtcd) this.#etcd = await startExternalEtcd(bench);
    this.#kit = await createKit(bench, this.specOn(bench));
    for (const [name, body] of Object.entries(each.credentials ?? {}))
      await bench.api.request('PUT', `/credentials/${name}`, body);
    await each.prepareHosts?.(this.kit);
    for (const { name } of bench.lab.hosts) this.#before.set(name, await this.#snapshot(name));
  }

  async #snapshot(host: string): Promise<string> {
    const rules = (await this.kit.packetFilter(host)).split('\n').map((line) => `filter ${line.trim()}`);
    return `${await this.kit.onHost(host, MATRIX_SNAPSHOT)}${rules.join('\n')}`;
  }

  send(document: ClusterSpecInput): void {
    this.kit.document = document;
    this.kit.cluster = clusterSpec.parse(document);
  }

  /** Throws an Error with each line by which a host differs from what it was. `- before`, `+ after`. */
  async expectAsBefore(hosts: readonly string[]): Promise<void> {
    const found: string[] = [];
    for (const host of hosts) {
      await this.each.cleanUp?.(this.kit, host);
      found.push(...(await this.#differencesOf(host)).map((line) => `${host}: ${line}`));
    }
    if (found.length > 0) throw new Error(`hosts differ from what they were:\n${found.join('\n')}`);
  }

  /** The kernel removes the links of a network namespace that is gone by itself, on a busy machine after seconds: what stays is asked again. */
  async #differencesOf(host: string): Promise<string[]> {
    for (let tries = 1; ; tries++) {
      const found = differences(this.#before.get(host) ?? '', await this.#snapshot(host));
      if (found.length === 0 || tries === SNAPSHOT_TRIES) return found;
      await sleep(SNAPSHOT_PAUSE_MS);
    }
  }

  /** Also where `begin` failed half way; the lab of a failed case stays where KUBEWRIGHT_KEEP_LAB is set. */
  async end(failed: boolean): Promise<void> {
    if (failed && process.env['KUBEWRIGHT_KEEP_LAB']) return;
    await this.#etcd?.stop();
    await this.#bench?.end();
  }
}

/** The steps of a case, in their order. */
export function stepsOf(each: MatrixCase, { conformance = false } = {}): MatrixStep[] {
  const checks = [...STANDARD_CHECKS, ...(each.checks ?? [])];
  const verify = (suffix = ''): MatrixStep[] =>
    checks
      .filter(({ once }) => suffix === '' || !once)
      .map(({ title, run }) => ({ title: `${title}${suffix}`, run: ({ kit }) => run(kit) }));
  const changes: MatrixStep[] = [
    { title: 'build again: nothing changes', run: ({ kit }) => buildsWithoutChange(kit) },
    { title: 'change one option and build', needed: true, run: changeAndBuild },
    ...verify(' after the change'),
    { title: 'build again after the change: nothing changes', run: ({ kit }) => buildsWithoutChange(kit) },
    { title: 'remove a node', run: removeNode },
    ...(each.afterRemoval ?? []).map(({ title, run }) => ({ title, run: ({ kit }: CaseRun) => run(kit) })),
    ...(each.returns ? [{ title: 'the hosts that left join again', needed: true as const, run: joinAgain }] : []),
    ...(each.returns ? verify(' with the hosts that joined again') : []),
  ];
  const suites = SUITES.map(
    (suite): MatrixStep => ({
      title: `official suite: ${suite.title}`,
      timeoutMs: SUITE_STEP_MS,
      run: (run) => passSuite(run, suite),
    }),
  );
  return [
    { title: 'hosts are up', needed: true, timeoutMs: MIRROR_MS, run: (run) => run.begin() },
    { title: 'build', needed: true, run: firstBuild },
    ...verify(),
    ...(conformance ? suites : changes),
    { title: 'tear down', last: true, run: ({ kit }) => removeCluster(kit) },
    {
      title: 'hosts are as they were',
      last: true,
      run: (run) => run.expectAsBefore(run.kit.bench.lab.hosts.map(({ name }) => name)),
    },
  ];
}

async function firstBuild(run: CaseRun): Promise<void> {
  const { each, kit } = run;
  if (await each.refusal?.here(kit)) return refusedBuild(run);
  if (each.whileBuilding === undefined) return void (await build(kit));
  await Promise.all([build(kit), meanwhile(kit, each.whileBuilding)]);
  // The first one may have ended before that was done: the next one does the rest.
  await build(kit);
}

/** Runs what a user does beside a build, as soon as the API server answers. */
async function meanwhile(kit: MatrixKit, work: (kit: MatrixKit) => Promise<void>): Promise<void> {
  await until('an API server that answers', 600_000, async () => {
    await kit.readKubeconfig();
    await kit.kubectl(['get', '--raw', '/readyz', '--request-timeout=5s']);
    return null;
  });
  await work(kit);
}

async function refusedBuild(run: CaseRun): Promise<void> {
  const { code, names } = run.each.refusal!;
  const status = await operate(run.kit, 'POST', '/clusters', run.kit.document);
  const errors = status.tasks.flatMap(({ error }) => error ?? []);
  const named = errors.some((error) => error.code === code && names.test(`${error.message}\n${error.evidence ?? ''}`));
  if (status.state !== 'blocked' || !named)
    throw new Error(`expected a blocked build with ${code} and ${names}:\n${troubleOf(status)}`);
  run.refused = true;
}

async function changeAndBuild(run: CaseRun): Promise<void> {
  const { kit } = run;
  run.send(run.specOn(kit.bench, { changed: true }));
  if ((await changesOf(kit, await build(kit))).length === 0) throw new Error('the changed option changes nothing');
}

async function passSuite({ kit, outcomes }: CaseRun, suite: Suite): Promise<void> {
  if (!suite.applies(kit)) return;
  const { passed, failed } = await runSuite(kit, suite);
  outcomes.push({ suite: suite.title, passed, failed });
  if (failed.length > 0)
    throw new Error(`${failed.length} of ${failed.length + passed} specs failed:\n${failed.join('\n')}`);
}

/** Hosts that leave: the cluster goes on without them, and they are as they were. */
async function removeNode(run: CaseRun): Promise<void> {
  const { kit, each } = run;
  const hosts = hostsThatLeave(each, kit.cluster);
  const list = hosts.join();
  const place = hosts.length === 1 ? `/${list}?` : `?hosts=${list}&`;
  const status = await operate(kit, 'DELETE', `/clusters/${kit.bench.name}/hosts${place}confirm=${list}`);
  if (status.state !== 'succeeded') throw new Error(troubleOf(status));
  const document = structuredClone(kit.document);
  document.spec.hosts = document.spec.hosts.filter((one) => !hosts.includes(String(one['name'])));
  run.send(document);
  await kit.readKubeconfig();
  for (const check of STANDARD_CHECKS.slice(0, 2)) await check.run(kit);
  await run.expectAsBefore(hosts);
}

/** The spec that has them again is built, and a second time without a change. */
async function joinAgain(run: CaseRun): Promise<void> {
  const { kit } = run;
  run.send(run.specOn(kit.bench, { changed: true }));
  await build(kit);
  await buildsWithoutChange(kit);
}

/** The hosts of a case that leave before its teardown. Pure. */
export const hostsThatLeave = ({ removes }: MatrixCase, { spec }: ClusterSpec): readonly string[] =>
  typeof removes === 'object' ? removes : [removes ?? spec.hosts.at(-1)!.name];
