import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordPolicy } from '../../../activities/operations/policy-record.ts';
import { verifyDatabase } from '../../../audit/verify-database.ts';
import type { DecisionRecord, OperationStatus } from '../../../contracts/operation.ts';
import { openStore, type Store } from '../../../store/index.ts';
import { parseKeyring } from '../../../store/keyring.ts';
import { testKey } from '../store/journal-contract.ts';

let dataDir: string;
let store: Store;
beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'kubewright-policy-'));
  store = await openStore({ dataDir, keyring: parseKeyring(testKey(1)) });
});
afterAll(async () => {
  await store.close();
  rmSync(dataDir, { recursive: true });
});

const run = { workflowId: 'cluster/demo/op/op-1', runId: 'run' };
const status = (...decisions: DecisionRecord[]) =>
  ({ cluster: 'demo', operationId: 'op-1', decisions }) as OperationStatus;
const skip = (host: string, second: number): DecisionRecord => ({
  ...{ at: `2026-11-21T12:00:0${second}.000Z`, by: 'policy', action: 'skip', host, phase: 'etcd', requestId: 'r-1' },
  reason: 'SSH_UNREACHABLE: it does not answer',
});

it('what the policy decided is in the chain of the operation, once, however often the status is written', async () => {
  const person = { ...skip('w-9', 1), by: 'alice', requestId: 'r-2' };
  await recordPolicy(store.journal, status(), run);
  await recordPolicy(store.journal, status(skip('w-1', 1), person), run);
  await recordPolicy(store.journal, status(skip('w-1', 1), person, skip('w-2', 2)), run);
  await recordPolicy(store.journal, status(skip('w-1', 1), person, skip('w-2', 2)), run);
  const { items } = await store.journal.list({ cluster: 'demo', kind: 'decision', limit: 10 });
  expect(items).toMatchObject(
    ['w-1', 'w-2'].map((host) => ({
      ...{ actor: 'policy', operation: 'op-1', host, phase: 'etcd', requestId: 'r-1', result: 'ok', exitCode: null },
      ...{ argv: ['skip', host, 'etcd', 'SSH_UNREACHABLE: it does not answer'], ...run },
    })),
  );
  expect((await store.journal.head('cluster/demo/op/op-1'))!.n).toBe(4);
  expect(await verifyDatabase(store, join(dataDir, 'spool'))).toMatchObject({ problems: [], links: 4 });
});
