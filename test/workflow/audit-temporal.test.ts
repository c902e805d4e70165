import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { activityInfo } from '@temporalio/activity';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { recordClosed, recordOpened } from '../../activities/operations/operation-log.ts';
import { createAnchorer } from '../../api/anchorer.ts';
import { openSigner } from '../../audit/signing-key.ts';
import { apiConverter, workerConverter } from '../../codec/data-converter.ts';
import type { TaskInput } from '../../contracts/operation.ts';
import { openStore, type Store } from '../../store/index.ts';
import { openKeyring } from '../../store/keyring.ts';
import { type RunningWorkers, startWorkers } from '../../worker/run.ts';
import { reanchor, rechain } from '../support/forged-chain.ts';
import { TEST_COMMAND_KEYS, TEST_SIGNER } from '../support/temporal-codec.ts';
import { ClusterHandle, Harness } from '../support/temporal-harness.ts';
import { planOf } from '../support/temporal-plan.ts';
import { World, worldActivities } from '../support/temporal-world.ts';
import { ended } from '../unit/store/journal-contract.ts';
import { spec } from '../unit/store/sample-spec.ts';

/**
 * `audit check --temporal`: a real Temporal server, real workflows, and activities that write our journal as the real ones
 * do. An attacker forges the database and signs it again with our own key: only Temporal's histories show it.
 */

const PHASES = ['one', 'two'];
const HOSTS = ['a', 'b'];
const main = join(import.meta.dirname, '../../cli/main.ts');

let folder: string;
let dataDir: string;
let store: Store;
let harness: Harness;
let client: Client;
let workers: RunningWorkers;
const worlds = new Map<string, World>();
/** Clusters whose plan waits until the function is called. */
const gates = new Map<string, Promise<void>>();

/** As a task does: two commands, and the head of the chain in the result. */
async function task(input: TaskInput) {
  const info = activityInfo();
  const { workflowId = '', runId = '' } = info.workflowExecution ?? {};
  const done = await worlds.get(input.cluster)!.run(input);
  let chainHead = '';
  for (const seq of [1, 2]) {
    const record = await store.journal.begin({
      ...{ kind: 'exec', actor: input.actor, actorId: input.actorId, requestId: input.requestId },
      ...{ cluster: input.cluster, operation: input.operationId, phase: input.phase, host: input.host, seq },
      ...{ namespace: info.namespace, workflowId, runId, activityId: info.activityId, attempt: info.attempt },
      ...{ argv: ['step', String(seq)], stdinSha256: null, stdinBytes: 0, startedAt: new Date() },
    });
    const { n, hash } = await store.journal.end(record, ended({ endedAt: new Date() }));
    chainHead = `${n}:${hash}`;
  }
  return { ...done, commands: 2, chainHead };
}

const runRef = () => {
  const { workflowId = '', runId = '' } = activityInfo().workflowExecution ?? {};
  return { workflowId, runId };
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-audit-temporal-'));
  dataDir = join(folder, 'data');
  mkdirSync(dataDir);
  store = await openStore({ dataDir, keyring: openKeyring(dataDir, undefined) });
  harness = await Harness.create();
  const { namespace, address } = harness;
  client = new Client({
    connection: harness.client.connection,
    namespace,
    dataConverter: apiConverter(store.payloadKeys, TEST_SIGNER),
  });
  const { control } = worldActivities(worlds, PHASES);
  workers = await startWorkers({
    ...{ address, namespace, bundlePath: inject('workflowBundle') },
    dataConverter: workerConverter(store.payloadKeys, TEST_COMMAND_KEYS),
    activities: {
      phases: Object.fromEntries(PHASES.map((name) => [name, task])),
      control: {
        ...control,
        makePlan: (input) =>
          recordOpened(store.journal, input, runRef(), async () => {
            await gates.get(input.cluster);
            const { kind, specRef, mode } = input;
            return planOf(input.cluster, worlds.get(input.cluster)!.phases, { kind, specRef, mode });
          }),
        projectStatus: (status) => store.projections.saveOperation(status),
        projectTasks: ({ cluster, operationId, tasks }) => store.projections.saveTasks(cluster, operationId, tasks),
        closeOperation: async (input) => {
          const closed = await recordClosed(store.journal, input, runRef());
          await store.projections.saveOperation(input.status);
          return closed;
        },
      },
    },
  });
});
afterAll(async () => {
  await workers?.shutdown();
  await harness?.close();
  await store?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A cluster whose operations have four tasks. */
function cluster(): ClusterHandle {
  const world = new World(PHASES.map((name) => ({ name, hosts: HOSTS })));
  const handle = new ClusterHandle(client, `c-${worlds.size + 1}`, world);
  worlds.set(handle.name, world);
  return handle;
}

async function start(handle: ClusterHandle): Promise<string> {
  const { operationId } = await handle.submit({ specRef: await store.specs.put(spec(handle.name)) });
  return operationId;
}

interface Checked {
  code: number;
  out: string;
  err: string;
}
/** `kubewright audit check` as a process. */
function check(data: string, ...args: string[]): Promise<Checked> {
  const env = { PATH: process.env['PATH'] };
  return new Promise((resolve) => {
    execFile(process.execPath, [main, 'audit', 'check', '--data', data, ...args], { env }, (error, out, err) => {
      resolve({ code: error ? Number(error.code) : 0, out, err });
    });
  });
}
const withTemporal = (data: string) => check(data, '--temporal', harness.address, '--namespace', harness.namespace);

/** A changed copy of the data directory, chained and signed again with our own key. */
async function forged(change: (database: DatabaseSync) => void, chains: readonly string[] = []): Promise<string> {
  const copy = mkdtempSync(join(folder, 'copy-'));
  cpSync(dataDir, copy, { recursive: true });
  const database = new DatabaseSync(join(copy, 'kubewright.db'));
  change(database);
  for (const chain of chains) rechain(database, chain);
  database.exec('delete from anchors');
  database.close();
  await reanchor(copy);
  return copy;
}

// Each case runs the check as a process several times.
vi.setConfig({ testTimeout: 180_000 });

describe('audit check --temporal', () => {
  let built: ClusterHandle;
  let operation: string;
  let chain: string;
  beforeAll(async () => {
    built = cluster();
    operation = await start(built);
    expect(await built.result(operation)).toMatchObject({ state: 'succeeded' });
    chain = `cluster/${built.name}/op/${operation}`;
    const signer = openSigner(dataDir);
    await createAnchorer({ store, signer, dataDir, sinks: [], everyMs: 1_000 }).sign();
  });

  it('finds nothing where nothing was changed', async () => {
    const { code, out, err } = await withTemporal(await forged(() => undefined, [chain]));
    expect({ code, err }, out).toEqual({ code: 0, err: '' });
    // Four tasks, and the end of the operation.
    expect(out).toContain('Temporal: 1 operations compared, 5 results of tasks anchored');
    expect(out).not.toContain('not compared');
  });

  it.each([
    ['record', `update journal set argv = '["step","9"]' where host = 'a' and seq = 2 and phase = 'two'`],
    ['actor', `update journal set actor = 'nobody' where host = 'b' and phase = 'one'`],
    ['exit code', `update journal set exit_code = 1, result = 'failed' where host = 'a' and seq = 1 and phase = 'one'`],
  ])('finds a changed %s that chain and anchors hide', async (_what, statement) => {
    const copy = await forged((database) => database.exec(statement), [chain]);
    // The database alone has nothing to say against it.
    expect(await check(copy)).toMatchObject({ code: 0 });
    const { code, out } = await withTemporal(copy);
    expect(code, out).toBe(1);
    expect(out).toMatch(/^CHANGED: Temporal, cluster\/.*its result says that link \d+ is [0-9a-f]{64}, and the chain/);
    expect(out).toMatch(/one of the links \d+ to \d+ was changed/);
  });

  it('finds another actor in journal and table alike by what the workflow was started with', async () => {
    const copy = await forged(
      (database) => {
        database.exec(`update journal set actor = 'nobody' where operation = '${operation}'`);
        database.exec(
          `update operations set actor = 'nobody', status = json_set(status, '$.actor', 'nobody') where id = '${operation}'`,
        );
      },
      [chain],
    );
    expect(await check(copy)).toMatchObject({ code: 0 });
    const { code, out } = await withTemporal(copy);
    expect(code, out).toBe(1);
    expect(out).toContain('its workflow was started with the actor tester; the journal says nobody');
    expect(out).toContain('its workflow was started with the actor tester; the table operations says nobody');
  });

  it('finds an operation that was taken out as a whole, and a task that no workflow scheduled', async () => {
    const gone = await forged((database) => {
      database.exec(`delete from journal where operation = '${operation}'`);
      database.exec(`delete from links where chain = '${chain}'`);
      database.exec(`delete from chains where id = '${chain}'`);
      database.exec(`delete from operations where id = '${operation}'`);
      database.exec(`delete from tasks where operation = '${operation}'`);
      database.exec(`update chains set n = (select count(*) from links) where id = '*'`);
    });
    expect(await check(gone)).toMatchObject({ code: 0 });
    const { code, out } = await withTemporal(gone);
    expect(code, out).toBe(1);
    expect(out).toContain(`${chain}: its workflow exists, and the journal has no record of it`);

    const added = await forged(
      (database) => database.exec(`update journal set activity_id = 'one:c:0' where host = 'a' and phase = 'one'`),
      [chain],
    );
    expect((await withTemporal(added)).out).toContain('no workflow scheduled the task one:c:0');
  });

  it('lists the operations that it skips because they run, also those without a record', async () => {
    const [running, queued] = [cluster(), cluster()];
    const open = running.world.gate('two:b');
    let plan = (): void => undefined;
    gates.set(queued.name, new Promise<void>((resolve) => (plan = resolve)));
    const operations = [await start(running), await start(queued)];
    await vi.waitFor(() => expect(running.world.count('two:b')).toBe(1), { timeout: 30_000 });
    const chains = [running, queued].map(({ name }, index) => `cluster/${name}/op/${operations[index]!}`);
    const listed = async () => {
      const { out } = await withTemporal(await forged(() => undefined));
      for (const each of chains) expect(out).toContain(each);
      return out;
    };
    // Temporal lists a workflow a moment after it began.
    const out = await vi.waitFor(listed, { timeout: 60_000, interval: 500 });
    expect(out).toMatch(/^unchanged: /);
    expect(out).toContain('Temporal: 1 operations compared');
    expect(out).toContain('not compared: 2 operations that still run: cluster/');
    // What is wrong elsewhere does not hide it.
    const copy = await forged(
      (database) =>
        database.exec(`update journal set actor = 'nobody' where host = 'b' and operation = '${operation}'`),
      [chain],
    );
    expect(await withTemporal(copy)).toMatchObject({
      code: 1,
      out: expect.stringContaining('not compared: 2 operations that'),
    });
    open();
    plan();
    await running.result(operations[0]!);
    await queued.result(operations[1]!);
    const after = await withTemporal(await forged(() => undefined));
    expect(after.code, after.out).toBe(0);
    expect(after.out).toContain('Temporal: 3 operations compared, 15 results of tasks anchored');
  });
});
