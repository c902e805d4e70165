import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAnchorer } from '../../../api/anchorer.ts';
import { problemText } from '../../../audit/problem.ts';
import { signMark } from '../../../audit/pruning-mark.ts';
import { openSigner, type Signer } from '../../../audit/signing-key.ts';
import { verifyDatabase } from '../../../audit/verify-database.ts';
import type { Store } from '../../../store/index.ts';
import { chainOf } from '../../../store/journal-record.ts';
import type { FreshDatabase } from './audit-contract.ts';
import { begun, ended } from './journal-contract.ts';

/** Where retention cuts a chain: the same on every engine. */
export function pruningContract(fresh: () => Promise<FreshDatabase>): void {
  describe('pruning a chain', () => {
    let database: FreshDatabase;
    let store: Store;
    let folder: string;
    let signer: Signer;
    const CLUSTER = 'pruned';
    const chain = chainOf({ cluster: CLUSTER });
    const request = (requestId: string) =>
      begun(CLUSTER, {
        ...{ kind: 'request', operation: undefined, requestId, argv: ['POST', '/clusters'] },
        ...{ workflowId: '', runId: '', activityId: '', attempt: 0, phase: '', host: '', seq: 0 },
      });
    const links = () => store.chains.lines(chain, 0, 100);
    const numbers = async () => (await links()).map(({ n }) => n);
    const problems = async () => {
      const options = { fingerprints: [signer.fingerprint] };
      return (await verifyDatabase(store, join(folder, 'spool'), options)).problems.map(problemText);
    };
    /** Cut behind link `n`, as a mark of ours says. */
    const prune = async (n: number, { over = false, hash }: { over?: boolean; hash?: string } = {}) => {
      const found = (await links()).find((each) => each.n === n)?.hash ?? '0'.repeat(64);
      const content = { chain, n, hash: hash ?? found, at: new Date().toISOString(), reason: 'a test' };
      const mark = { ...content, entry: signMark(signer, content) };
      return over ? store.chains.prune(mark, { over }) : store.chains.prune(mark);
    };

    const failed = (why: RegExp) => ({ code: 'STORE_FAILED', evidence: expect.stringMatching(why) as string });

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'kubewright-pruning-'));
      signer = openSigner(folder);
      database = await fresh();
      store = database.store;
      // Links 1 to 4.
      await store.journal.record(request('1'), ended({ code: 202 }));
      await store.journal.record(request('2'), ended({ code: 202 }));
    });
    afterAll(async () => {
      await store.close();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    });

    it('refuses to cut between the halves of a record, an open record, and another hash, and removes nothing', async () => {
      const open = await store.journal.begin(request('3'));
      await store.journal.record(request('4'), ended({ code: 202 }));
      const anchorer = createAnchorer({ store, signer, dataDir: folder, sinks: [], everyMs: 1_000 });
      await anchorer.sign();
      const before = await links();
      expect(before.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7]);
      await expect(prune(1)).rejects.toMatchObject(failed(/ends behind link 1/));
      await expect(prune(3)).rejects.toMatchObject(failed(/ends behind link 3/));
      await expect(prune(5)).rejects.toMatchObject(
        failed(new RegExp(`the record ${open.id} of ${chain} has no end yet`)),
      );
      await expect(prune(7)).rejects.toMatchObject(failed(/has no end yet/));
      await expect(prune(4, { hash: 'f'.repeat(64) })).rejects.toMatchObject(
        failed(/no link 4 with the hash of the mark/),
      );
      await expect(prune(99)).rejects.toMatchObject(failed(/no link 99/));
      expect(await links()).toEqual(before);
      expect(await store.chains.marks('', 10)).toEqual([]);
      expect(await problems()).toEqual([]);

      // What is done may go; the open record ends as ever, and the check has nothing to say.
      expect(await prune(4)).toBe(4);
      expect(await numbers()).toEqual([5, 6, 7]);
      expect(await problems()).toEqual([]);
      await store.journal.end(open, ended({ code: 200 }));
      await anchorer.sign();
      expect(await numbers()).toEqual([5, 6, 7, 8]);
      expect(await problems()).toEqual([]);
    });

    it('again replaces the old mark', async () => {
      expect(await prune(8)).toBe(4);
      expect(await numbers()).toEqual([]);
      expect((await store.chains.marks('', 10)).map(({ n }) => n)).toEqual([8]);
      await store.journal.record(request('5'), ended({ code: 202 }));
      expect(await numbers()).toEqual([9, 10]);
      expect(await problems()).toEqual([]);
    });

    it('of what is over takes its open records along: their ends are refused, and leave no trace', async () => {
      const dead = await store.journal.begin(request('6'));
      await expect(prune(11)).rejects.toMatchObject(failed(/has no end yet/));
      expect(await prune(11, { over: true })).toBe(3);
      await expect(store.journal.end(dead, ended())).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(await numbers()).toEqual([]);
      expect(await problems()).toEqual([]);
    });

    it('is distinguished from a deletion by the signature of the mark', async () => {
      const [{ entry } = { entry: '' }] = await store.chains.marks('', 10);
      await database.sql(`update chain_marks set entry = '${entry.replace('a test', 'a tesT')}'`);
      expect((await problems()).join()).toContain('chain_marks: cluster/pruned: its signature does not hold');
      await database.sql(`update chain_marks set entry = '${entry}', n = n - 1`);
      expect((await problems()).join()).toContain('it is not what was signed');
      await database.sql(`update chain_marks set n = n + 1`);
      expect(await problems()).toEqual([]);
    });
  });
}
