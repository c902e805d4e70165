import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAnchorer } from '../../../api/anchorer.ts';
import { anchorHash, readAnchor } from '../../../audit/anchor.ts';
import { problemText } from '../../../audit/problem.ts';
import { openSigner, type Signer } from '../../../audit/signing-key.ts';
import { verifyDatabase } from '../../../audit/verify-database.ts';
import type { Store } from '../../../store/index.ts';
import { NO_HASH } from '../../../store/journal-record.ts';
import type { FreshDatabase } from './audit-contract.ts';
import { begun, ended } from './journal-contract.ts';

/** Signed heads of chains: the same on every engine. */
export function anchorContract(fresh: () => Promise<FreshDatabase>): void {
  describe('anchors', () => {
    let database: FreshDatabase;
    let store: Store;
    let folder: string;
    let signer: Signer;
    /** A process that signs: each remembers what it signed for itself. */
    const process = () => {
      const dataDir = mkdtempSync(join(folder, 'process-'));
      return createAnchorer({ store, signer, dataDir, sinks: [], everyMs: 1_000 });
    };
    const write = (cluster: string) => store.journal.record(begun(cluster), ended());
    const problems = async () => {
      const options = { fingerprints: [signer.fingerprint] };
      return (await verifyDatabase(store, join(folder, 'spool'), options)).problems.map(problemText).join('\n');
    };

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'kubewright-anchors-'));
      signer = openSigner(folder);
      database = await fresh();
      store = database.store;
    });
    afterAll(async () => {
      await store.close();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    });

    it('are kept once by number, and listed in their order', async () => {
      const { anchors } = store;
      expect(await anchors.last()).toBeNull();
      expect(await Promise.all(['a', 'b', 'c'].map((entry) => anchors.add({ n: 1, pos: 1, entry })))).toSatisfy(
        (taken: boolean[]) => taken.filter(Boolean).length === 1,
      );
      const first = await anchors.find(1);
      expect(await anchors.add({ n: 1, pos: 9, entry: 'other' })).toBe(false);
      expect(await anchors.find(1)).toEqual(first);
      for (const n of [10, 9, 2]) await anchors.add({ n, pos: n, entry: String(n) });
      expect((await anchors.list(1, 2)).map(({ n }) => n)).toEqual([2, 9]);
      expect(await anchors.last()).toEqual({ n: 10, pos: 10, entry: '10' });
      expect(await anchors.find(3)).toBeNull();
      await database.sql('delete from anchors');
    });

    it('of several processes that sign and write at the same time are one chain without gaps', async () => {
      const signers = [process(), process(), process()];
      for (let round = 0; round < 4; round += 1) {
        await Promise.all([...signers.map((each) => each.sign()), ...['a', 'b', 'c'].map((name) => write(name))]);
      }
      await signers[0]!.sign();
      const stored = await store.anchors.list(0, 100);
      expect(stored.map(({ n }) => n)).toEqual(stored.map((_, index) => index + 1));
      let prev = NO_HASH;
      for (const { entry, pos, n } of stored) {
        const { anchor, fingerprint } = readAnchor(entry);
        expect({ fingerprint, ...anchor }).toMatchObject({ fingerprint: signer.fingerprint, n, pos, prev });
        prev = anchorHash(entry);
      }
      // Every link is covered: three clusters, four rounds, two halves.
      expect(await database.number('select count(*) as n from links')).toBe(24);
      expect(stored.at(-1)!.pos).toBe(24);
      const verdict = await verifyDatabase(store, join(folder, 'spool'), { fingerprints: [signer.fingerprint] });
      expect(verdict.problems.filter(({ where }) => where === 'anchors')).toEqual([]);
      expect(verdict.anchors).toMatchObject({ count: stored.length, unsigned: 0 });
    });

    it('show a row that was changed, taken out or put back', async () => {
      const clean = await problems();
      await database.sql('update anchors set pos = pos + 1 where n = 1');
      expect(await problems()).toContain('anchor 1');
      await database.sql('update anchors set pos = pos - 1 where n = 1');
      expect(await problems()).toBe(clean);
      await database.sql('create table kept as select * from anchors; delete from anchors where n = 1');
      expect(await problems()).toMatch(/anchor .*missing before it/);
      await database.sql('insert into anchors select * from kept where n = 1; drop table kept');
      expect(await problems()).toBe(clean);
    });
  });
}
