import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import proto from '@temporalio/proto';
import { createAnchorer } from '../../../api/anchorer.ts';
import { recordIssue, tokenIssue } from '../../../api/record-issue.ts';
import { historyJson } from '../../../audit/history-json.ts';
import { makeBundle, type WorkflowHistory } from '../../../audit/make-bundle.ts';
import { openSigner, type Signer } from '../../../audit/signing-key.ts';
import type { OperationStatus } from '../../../contracts/operation.ts';
import { stamped } from '../../../contracts/provenance.ts';
import { canonicalJson } from '../../../store/canonical.ts';
import { openStore, type Store } from '../../../store/index.ts';
import { parseKeyring } from '../../../store/keyring.ts';
import { begun, ended, testKey } from '../store/journal-contract.ts';
import { spec } from '../store/sample-spec.ts';

export const CLUSTER = 'demo';
export const OPERATION = 'op-1';
export const PLAN = { planVersion: 1, phases: [] };

/** A data directory with one finished operation: four hosts, requests, outputs, an attempt that died. */
export interface Sample {
  folder: string;
  store: Store;
  signer: Signer;
  histories: WorkflowHistory[];
  /** Signs what is not signed yet. */
  sign(): Promise<void>;
  /** Writes the bundle, and returns its path. */
  bundle(): Promise<string>;
  close(): Promise<void>;
}

const WORKFLOW = `cluster/${CLUSTER}/op/${OPERATION}`;

/** In a data directory of its own, unless the empty database of a store is given. */
export async function sampleOperation(given?: Store): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-audit-'));
  const store = given ?? (await openStore({ dataDir: folder, keyring: parseKeyring(testKey(1)) }));
  const signer = openSigner(folder);
  const anchorer = createAnchorer({ store, signer, dataDir: folder, sinks: [], everyMs: 1_000 });
  const { info, digest } = await store.tokens.create('admin', 'admin');
  await recordIssue(store.journal, { actor: 'kubewright', requestId: '' }, tokenIssue(info, digest));
  await anchorer.sign();
  const specRef = await store.specs.put(spec(CLUSTER));
  const operation = { ...begun(CLUSTER), kind: 'operation' as const, host: '', phase: '', activityId: '', attempt: 0 };
  const quiet = ended({ stdout: '', stdoutBytes: 0, code: null });
  const request = { ...operation, kind: 'request' as const, operation: undefined, argv: ['POST', '/clusters'] };
  await store.journal.record(request, { ...quiet, code: 202, operation: OPERATION });
  await store.journal.record({ ...operation, argv: ['open', 'build', 'apply', specRef] }, quiet);

  const results: { activityId: string; chainHead: string; commands: number }[] = [];
  await store.journal.begin(begun(CLUSTER, { host: 'w-2', activityId: 'etcd:w-2:0' }));
  for (const host of ['cp-1', 'w-1', 'w-2', 'w-3']) {
    const activityId = `etcd:${host}:0`;
    let chainHead = '';
    for (let seq = 1; seq <= 4; seq += 1) {
      const attempt = host === 'w-2' ? 2 : 1;
      const open = await store.journal.begin(
        begun(CLUSTER, { host, activityId, attempt, seq, argv: ['step', String(seq)] }),
      );
      const stdout = seq % 2 === 0 ? `${host} says ${seq}\n`.repeat(seq * 40) : 'ok';
      const { n, hash } = await store.journal.end(open, ended({ stdout, stderr: seq === 3 ? 'oops\n' : '' }));
      chainHead = `${n}:${hash}`;
    }
    results.push({ activityId, chainHead, commands: 4 });
  }
  await store.journal.record({ ...operation, argv: ['close', 'succeeded'] }, quiet);
  const status: OperationStatus = {
    ...({ operationId: OPERATION, cluster: CLUSTER, kind: 'build', mode: 'apply' } as const),
    ...({ state: 'succeeded', actor: 'admin' } as const),
    ...{ specRef, queuedAt: '2026-11-21T12:00:00.000Z', startedAt: '2026-11-21T12:00:00.000Z', tasks: [] },
    ...{ blockedHosts: [], quarantinedHosts: [] },
  };
  await store.projections.saveOperation(status);
  await anchorer.sign();

  const histories = [{ workflowId: WORKFLOW, runId: 'run', json: JSON.stringify(historyJson(historyOf(results))) }];
  let made = 0;
  return {
    folder,
    store,
    signer,
    histories,
    sign: () => anchorer.sign(),
    async bundle() {
      made += 1;
      const file = join(folder, `bundle-${made}.tar`);
      const chunks: Uint8Array[] = [];
      const spool = join(folder, 'spool');
      const all = async function* () {
        yield* histories;
      };
      const source = { store, signer, spool };
      const names = { cluster: CLUSTER, operation: OPERATION };
      for await (const chunk of makeBundle(source, names, all(), () => canonicalJson(PLAN))) chunks.push(chunk);
      writeFileSync(file, Buffer.concat(chunks));
      return file;
    },
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What Temporal would tell of these tasks. */
function historyOf(results: readonly { activityId: string; chainHead: string; commands: number }[]) {
  const { History } = proto.temporal.api.history.v1;
  const payload = (value: unknown) => ({
    metadata: { encoding: Buffer.from('json/plain') },
    data: Buffer.from(JSON.stringify(value)),
  });
  const time = { seconds: 1_795_262_400, nanos: 5_000_000 };
  const events: proto.temporal.api.history.v1.IHistoryEvent[] = [];
  const add = (more: object) => {
    const eventId = events.length + 1;
    events.push({ eventId: eventId as never, eventTime: time as never, ...more });
    return eventId;
  };
  add({ workflowExecutionStartedEventAttributes: { workflowId: WORKFLOW, workflowTaskTimeout: { seconds: 10 } } });
  const activity = (activityId: string, type: string, attempt: number, result: object) => {
    const scheduledEventId = add({
      activityTaskScheduledEventAttributes: { activityId, activityType: { name: type } },
    });
    const startedEventId = add({ activityTaskStartedEventAttributes: { scheduledEventId, attempt } });
    const ids = { scheduledEventId, startedEventId };
    // As the worker writes it: with the stamp of the message inside.
    const stampedResult = stamped(result, { message: `result/${type}` });
    add({ activityTaskCompletedEventAttributes: { ...ids, result: { payloads: [payload(stampedResult)] } } });
  };
  activity('plan', 'makePlan', 1, PLAN);
  for (const { activityId, ...result } of results)
    activity(activityId, 'etcd', activityId.includes('w-2') ? 2 : 1, result);
  return History.decode(History.encode(History.fromObject({ events })).finish());
}
