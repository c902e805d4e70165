import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemText } from '../../../audit/problem.ts';
import { verifyDatabase } from '../../../audit/verify-database.ts';
import type { Store } from '../../../store/index.ts';
import { CLUSTER, OPERATION, type Sample, sampleOperation } from '../audit/sample.ts';

/** A database of a test's own, empty at first, which can be changed behind the store's back. */
export interface FreshDatabase {
  store: Store;
  sql(statement: string): Promise<void>;
  /** The column `n` of the one row of a select. */
  number(select: string): Promise<number>;
  /** After the store was closed. */
  drop(): Promise<void>;
}

/** What an audit must find on every engine. Each case leaves its damage behind: the next one must show beside it. */
export function auditContract(fresh: () => Promise<FreshDatabase>): void {
  describe('an audited operation', () => {
    let database: FreshDatabase;
    let sample: Sample;
    const spool = mkdtempSync(join(tmpdir(), 'kubewright-spool-'));
    const verdict = () => verifyDatabase(sample.store, spool);
    const problems = async () => (await verdict()).problems.map(problemText).join('\n');
    const recordOf = async (host: string, seq: number) => {
      const { items } = await sample.store.journal.list({ cluster: CLUSTER, host, limit: 50 });
      return items.find((each) => each.seq === seq && each.endedAt !== null)!;
    };

    beforeAll(async () => {
      database = await fresh();
      sample = await sampleOperation(database.store);
    });
    afterAll(async () => {
      await sample.close();
      await database.drop();
      rmSync(spool, { recursive: true });
    });

    it('is without fault, and is missing as a bundle until it is kept as one', async () => {
      const { bundles } = sample.store;
      expect(await bundles.missing(10)).toEqual([{ cluster: CLUSTER, operation: OPERATION }]);
      const file = readFileSync(await sample.bundle());
      const kept = await bundles.save(CLUSTER, OPERATION, chunks(file));
      // Who comes second keeps nothing.
      expect(await bundles.save(CLUSTER, OPERATION, chunks(randomBytes(3_000_000)))).toEqual(kept);
      expect(kept.size).toBe(file.length);
      expect(Buffer.concat(await collected(bundles.read(kept.id)))).toEqual(file);
      expect(await bundles.find(CLUSTER, OPERATION)).toEqual(kept);
      expect(await bundles.list({ cluster: '', operation: '' }, 10)).toEqual([kept]);
      expect(await bundles.list({ cluster: CLUSTER, operation: OPERATION }, 10)).toEqual([]);
      expect(await bundles.missing(10)).toEqual([]);
      expect(await verdict()).toMatchObject({
        ...{ problems: [], chains: 3, links: 41, outputs: 10, specs: 1, bundles: 1, tokens: 1, operations: 1 },
        anchors: { count: 2, unsigned: 0 },
      });
    });

    it('keeps large files in pieces, for any chunk size', async () => {
      const { bundles } = sample.store;
      const file = randomBytes(2_500_000);
      const { id } = await bundles.save('other', OPERATION, chunks(file, 70_001));
      expect(Buffer.concat(await collected(bundles.read(id)))).toEqual(file);
      await database.sql(`delete from bundle_pieces where bundle = '${id}' and n = 1`);
      await expect(collected(bundles.read(id))).rejects.toThrow('only 1 follow each other');
      await database.sql(`delete from bundle_pieces where bundle = '${id}'`);
      await database.sql(`delete from bundles where id = '${id}'`);
    });

    it('ignores an interrupted save, and reports a bundle without its row', async () => {
      const { bundles } = sample.store;
      const { id: torn } = await bundles.save('torn', OPERATION, chunks(randomBytes(4_000_000)));
      await database.sql(`delete from bundles where id = '${torn}'`);
      expect(await bundles.loose()).toEqual([{ id: torn, pieces: 3, last: 2 }]);
      expect(await problems()).toBe('');
      await database.sql(`delete from bundle_pieces where bundle = '${torn}' and n = 1`);
      expect(await problems()).toMatch(new RegExp(`bundle ${torn}.*nothing names it`));
      await database.sql(`delete from bundle_pieces where bundle = '${torn}'`);
      const { id } = (await bundles.find(CLUSTER, OPERATION))!;
      await database.sql(`update bundles set id = 'nothing'`);
      expect(await problems()).toMatch(/its row in bundles is missing/);
      await database.sql(`update bundles set id = '${id}'`);
      expect(await problems()).toBe('');
    });

    it('names a spec that was changed, and one that is gone', async () => {
      await database.sql(`update specs set document = replace(document, 'demo', 'dem0')`);
      expect(await problems()).toContain('specs: ');
      await database.sql(`update specs set document = replace(document, 'dem0', 'demo')`);
      expect(await problems()).toBe('');
    });

    it('names a record that was changed', async () => {
      const { id } = await recordOf('w-1', 2);
      await database.sql(`update journal set argv = '["step","9"]' where id = '${id}'`);
      expect(await problems()).toMatch(new RegExp(`record ${id} .*its content is not what was written`));
    });

    it('names a record whose end was removed', async () => {
      const { id } = await recordOf('w-3', 1);
      await database.sql(`update journal set ended_at = null, result = 'open' where id = '${id}'`);
      expect(await problems()).toContain(`record ${id}`);
    });

    it('names a record that was taken out, and one that was put in', async () => {
      const { id } = await recordOf('w-1', 3);
      const other = '7'.padEnd(id.length, 'Z');
      await database.sql(`update journal set id = '${other}' where id = '${id}'`);
      const found = await problems();
      expect(found).toMatch(new RegExp(`record ${id}.*the record of this link is missing`));
      expect(found).toContain(`record ${other}: no link leads to it`);
    });

    it('names a link that is missing, and a head that is not where the chain ends', async () => {
      await database.sql(`delete from links where chain = 'cluster/${CLUSTER}' and n = 1`);
      expect(await problems()).toContain('link 1 is missing before it');
      await database.sql(`update chains set n = n - 1 where id = 'cluster/${CLUSTER}/op/${OPERATION}'`);
      expect(await problems()).toMatch(/the chain should end with it and ends with link \d+/);
    });

    it('names an output that is another one, has another size, or is gone', async () => {
      const [one, two] = await Promise.all([recordOf('cp-1', 2), recordOf('cp-1', 4)]);
      const [from, to] = [one.stdoutSha256!, two.stdoutSha256!];
      await database.sql(
        `update blobs set data = (select data from blobs where sha256 = '${from}') where sha256 = '${to}'`,
      );
      await database.sql(`update blobs set size = size + 1 where sha256 = '${from}'`);
      const found = await problems();
      expect(found).toMatch(new RegExp(`${to}.*its stored bytes were changed`));
      expect(found).toMatch(new RegExp(`${from}.*its size is`));
      await database.sql(`delete from blobs where sha256 = '${to}'`);
      expect(await problems()).toContain(to);
    });

    it('names a bundle whose piece was changed', async () => {
      await database.sql(`update bundle_pieces set sha256 = '${'0'.repeat(64)}'`);
      expect(await problems()).toMatch(/bundle of demo op-1.*was changed/);
    });
  });
}

async function* chunks(file: Buffer, size = 500_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
}

async function collected(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}
