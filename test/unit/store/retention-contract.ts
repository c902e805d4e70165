import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordIssue, tokenIssue } from '../../../api/record-issue.ts';
import { createJanitor } from '../../../api/retention.ts';
import { problemText } from '../../../audit/problem.ts';
import { verifyDatabase } from '../../../audit/verify-database.ts';
import { planOf } from '../../support/temporal-plan.ts';
import { CLUSTER, OPERATION, type Sample, sampleOperation } from '../audit/sample.ts';
import type { FreshDatabase } from './audit-contract.ts';

const DAY_MS = 24 * 3_600_000;
const LATER = Date.now() + 3 * DAY_MS;

/** What retention removes and keeps, and what the audit says of it: the same on every engine. */
export function retentionContract(fresh: () => Promise<FreshDatabase>): void {
  describe('retention', () => {
    let sample: Sample;
    let database: FreshDatabase;
    const check = async () => {
      const verdict = await verifyDatabase(sample.store, join(sample.folder, 'spool'), {
        fingerprints: [sample.signer.fingerprint],
      });
      return verdict.problems.map(problemText);
    };
    const sql = (statement: string) => database.sql(statement);
    const count = (table: string, where = '1 = 1') =>
      database.number(`select count(*) as n from ${table} where ${where}`);
    const janitor = (keep: Parameters<typeof createJanitor>[0]['keep']) =>
      createJanitor({ store: sample.store, signer: sample.signer, keep });
    const ALL = { journal: 1, blobs: 1, events: 1, bundles: 1, requests: 1, tokens: 1 };
    const OPS = `chain = 'cluster/${CLUSTER}/op/${OPERATION}'`;

    beforeAll(async () => {
      database = await fresh();
      sample = await sampleOperation(database.store);
    });
    afterAll(async () => {
      await sample.close();
      await database.drop();
    });

    it('removes nothing of an operation that no bundle has sealed, and nothing without configuration', async () => {
      const [links, events, blobs] = await Promise.all([count('links', OPS), count('events'), count('blobs')]);
      expect(links).toBeGreaterThan(0);
      expect(await janitor({}).sweep(LATER)).toEqual({});
      await janitor(ALL).sweep(LATER);
      expect(await Promise.all([count('links', OPS), count('events'), count('blobs')])).toEqual([links, events, blobs]);
      expect(await check()).toEqual([]);
    });

    it('removes expired sealed records, and the audit distinguishes that from a deletion', async () => {
      const file = await sample.bundle();
      await sample.store.bundles.save(
        CLUSTER,
        OPERATION,
        (async function* () {
          yield readFileSync(file);
        })(),
      );
      await sample.sign();
      // Not yet.
      expect(await janitor(ALL).sweep()).toMatchObject({ journal: 0, events: 0, blobs: 0, bundles: 0 });
      const newest = await sample.store.events.last();
      expect(await sample.store.events.removedTo()).toBe('');
      const removed = await janitor({ journal: 1, blobs: 1, events: 1 }).sweep(LATER);
      expect([await sample.store.events.removedTo(), await sample.store.events.last()]).toEqual([newest, newest]);
      expect(removed.journal).toBeGreaterThan(0);
      expect(removed.blobs).toBeGreaterThan(0);
      expect(await Promise.all([count('links', OPS), count('events'), count('blobs')])).toEqual([0, 0, 0]);
      expect(await count('bundles')).toBe(1);
      expect(await check()).toEqual([]);
      // A chain without its mark was not removed by retention.
      await sql('create table kept as select * from chain_marks; delete from chain_marks');
      expect(await check()).not.toEqual([]);
      await sql('insert into chain_marks select * from kept; drop table kept');
      expect(await check()).toEqual([]);
    });

    it('keeps the bundle of the operation that determines the state of the cluster, and removes the others', async () => {
      await sample.store.plans.save(OPERATION, planOf(CLUSTER, [{ name: 'one', hosts: ['cp-1'] }]));
      await sample.store.plans.save('op-2', planOf(CLUSTER, [{ name: 'one', hosts: ['cp-1'] }]));
      expect((await janitor(ALL).sweep(LATER)).bundles).toBe(0);
      expect(await count('plans')).toBe(2);
      for (const operationId of [OPERATION, 'op-2']) {
        const change = { resource: 'file:/x', action: 'create' as const, detail: 'new' };
        const task = { cluster: CLUSTER, operationId, phase: 'etcd', host: 'cp-1', round: 1 };
        await sample.store.taskChanges.save(task, { changes: [change], changeCount: 1 });
      }
      await sql(`update clusters set latest_operation = 'op-2'`);
      expect((await janitor(ALL).sweep(LATER)).bundles).toBe(1);
      expect(await Promise.all([count('bundles'), count('bundle_pieces'), count('operations')])).toEqual([0, 0, 0]);
      expect(await count('plans', `operation <> 'op-2'`)).toBe(0);
      expect(await count('plans')).toBe(1);
      expect(await count('task_changes', `operation <> 'op-2'`)).toBe(0);
      expect(await count('task_changes')).toBe(1);
      expect(await check()).toEqual([]);
    });

    it('removes expired and revoked tokens, with a record', async () => {
      const { store } = sample;
      const make = async (expiresAt: Date | null) => {
        const { info, digest } = await store.tokens.create('someone', 'viewer', { expiresAt });
        await recordIssue(store.journal, { actor: 'admin', requestId: '' }, tokenIssue(info, digest));
        return info.id;
      };
      const [old, valid] = [await make(new Date(Date.now() + 1)), await make(null)];
      expect((await janitor({ tokens: 1 }).sweep(LATER)).tokens).toBe(1);
      const ids = (await store.tokens.page({ limit: 200 })).items.map(({ id }) => id);
      expect(ids).toContain(valid);
      expect(ids).not.toContain(old);
      expect(await check()).toEqual([]);
      await sql(`delete from tokens where id = '${valid}'`);
      expect((await check()).join()).toContain('it is missing');
    });

    it('tokens come in pages', async () => {
      for (let n = 0; n < 5; n += 1) await sample.store.tokens.create(`page-${n}`, 'viewer');
      const seen: string[] = [];
      for (let cursor: string | undefined; ; ) {
        const { items, next } = await sample.store.tokens.page({ limit: 2, cursor });
        expect(items.length).toBeLessThanOrEqual(2);
        seen.push(...items.map(({ id }) => id));
        if (next === null) break;
        cursor = next;
      }
      expect(seen).toEqual((await sample.store.tokens.list()).map(({ id }) => id));
    });
  });
}
