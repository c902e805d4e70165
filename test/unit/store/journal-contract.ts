import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../store/canonical.ts';
import type { Store } from '../../../store/index.ts';
import type { RecordBegun, RecordEnded } from '../../../store/journal-record.ts';

export const testKey = (fill: number): string => Buffer.alloc(32, fill).toString('base64');

export const begun = (cluster: string, more: Partial<RecordBegun> = {}): RecordBegun => ({
  actor: 'admin',
  requestId: 'request-1',
  namespace: 'kube',
  cluster,
  operation: 'op-1',
  workflowId: `cluster/${cluster}/op/op-1`,
  runId: 'run',
  activityId: 'etcd:cp-1:0',
  attempt: 1,
  phase: 'etcd',
  host: 'cp-1',
  hostKeyFingerprint: 'SHA256:x',
  seq: 1,
  kind: 'exec',
  argv: ['etcdctl', 'member', 'list'],
  stdinSha256: null,
  stdinBytes: 5_000_000_000,
  startedAt: new Date('2026-11-21T12:00:00.000Z'),
  ...more,
});

export const ended = (more: Partial<RecordEnded> = {}): RecordEnded => ({
  endedAt: new Date('2026-11-21T12:00:01.000Z'),
  code: 0,
  signal: null,
  stdout: 'ok\n',
  stderr: '',
  stdoutBytes: 3,
  stderrBytes: 0,
  truncated: false,
  error: null,
  ...more,
});

const CHANGE = { resource: 'file:/etc/hosts', action: 'update', detail: 'content' } as const;

/** As any reader would compute it: keys sorted, no spaces. */
const lineSha = (line: object): string => createHash('sha256').update(canonicalJson(line)).digest('hex');

/** What the journal must do on every engine; part of the store's contract. */
export function journalContract(
  current: () => Store,
  open: (keys: string) => Promise<Store>,
  unique: (prefix: string) => string,
): void {
  describe('the chain', () => {
    const at = (minute: number) => new Date(Date.UTC(2026, 10, 21, 12, minute));

    it('links both halves of every record, each to the one before', async () => {
      const cluster = unique('chain');
      const open = await current().journal.begin(begun(cluster, { changes: [CHANGE] }));
      expect(open.head).toMatchObject({ n: 1 });
      expect(open.chain).toBe(`cluster/${cluster}/op/op-1`);
      const head = await current().journal.end(open, ended());
      const [record] = (await current().journal.list({ cluster, limit: 1 })).items;
      const first = {
        ...{ actor: 'admin', activityId: 'etcd:cp-1:0', argv: ['etcdctl', 'member', 'list'], attempt: 1 },
        ...{ chain: open.chain, changes: [CHANGE], cluster, host: 'cp-1', hostKeyFingerprint: 'SHA256:x' },
        ...{ id: open.id, kind: 'exec', n: 1, namespace: 'kube', operation: 'op-1', part: 'begin', phase: 'etcd' },
        ...{ prev: '0'.repeat(64), requestId: 'request-1', runId: 'run', seq: 1, workflowId: open.chain },
        ...{ startedAt: '2026-11-21T12:00:00.000Z', stdinBytes: 5_000_000_000, stdinSha256: null },
      };
      expect(open.head.hash).toBe(lineSha(first));
      const second = {
        ...{ chain: open.chain, endedAt: '2026-11-21T12:00:01.000Z', error: null, exitCode: 0, id: open.id, n: 2 },
        ...{ part: 'end', prev: open.head.hash, result: 'ok', signal: null, stderrBytes: 0, stderrSha256: null },
        ...{ stdoutBytes: 3, stdoutSha256: record!.stdoutSha256, truncated: 0 },
      };
      expect(head).toEqual({ n: 2, hash: lineSha(second) });
      expect(await current().journal.head(open.chain)).toEqual(head);
      expect(await current().journal.head('cluster/none')).toBeNull();
    });

    it('of requests outside operations is the cluster’s, or the installation’s', async () => {
      const cluster = unique('chain');
      const request = { ...begun(cluster), kind: 'request' as const, operation: undefined, host: '' };
      const open = await current().journal.begin(request);
      expect(open.chain).toBe(`cluster/${cluster}`);
      await current().journal.end(open, ended({ code: 202, operation: 'op-9' }));
      await current().journal.record(request, ended({ code: 409, error: 'CONFLICT' }));
      await current().journal.record({ ...request, cluster: '' }, ended({ code: 500, error: 'INTERNAL' }));
      const { items } = await current().journal.list({ cluster, limit: 5 });
      expect(items.map(({ operation, result }) => [operation, result])).toEqual([
        ['op-9', 'ok'],
        ['', 'refused'],
      ]);
      const [{ result } = { result: '' }] = (await current().journal.list({ cluster: '', limit: 1 })).items;
      expect(result).toBe('failed');
    });

    it('refuses a second end, and works after that', async () => {
      const cluster = unique('chain');
      const [one, two] = await Promise.all([
        current().journal.begin(begun(cluster)),
        current().journal.begin(begun(cluster)),
      ]);
      await current().journal.end(one, ended());
      const [again, other] = await Promise.allSettled([
        current().journal.end(one, ended({ code: 1 })),
        current().journal.end(two, ended()),
      ]);
      expect(again).toMatchObject({ status: 'rejected', reason: { code: 'STORE_FAILED' } });
      expect(other).toMatchObject({ status: 'fulfilled', value: { n: 4 } });
    });

    it('is one even when two processes write at once', async () => {
      const cluster = unique('chain');
      // Not two at once in one process on SQLite: its lock would wait for itself.
      const heads = [];
      for (let round = 0; round < 3; round += 1) {
        const second = await open(testKey(1));
        heads.push((await second.journal.begin(begun(cluster))).head.n);
        await second.close();
        heads.push((await current().journal.begin(begun(cluster))).head.n);
      }
      expect(heads).toEqual([1, 2, 3, 4, 5, 6]);
    });

    it('lists open records that will get no end', async () => {
      const cluster = unique('chain');
      await current().journal.begin(begun(cluster, { startedAt: at(0) }));
      await current().journal.begin(begun(cluster, { startedAt: at(1), host: 'w-1', activityId: 'etcd:w-1:0' }));
      const flags = async () =>
        (await current().journal.list({ cluster, limit: 9, result: 'open' })).items.map((each) => each.interrupted);
      expect(await flags()).toEqual([false, false]);
      await current().journal.begin(begun(cluster, { startedAt: at(2), attempt: 2 }));
      expect(await flags()).toEqual([true, false, false]);
      const close = { ...begun(cluster), kind: 'operation' as const, argv: ['close', 'failed'], startedAt: at(3) };
      await current().journal.record(close, ended({ code: null }));
      expect(await flags()).toEqual([true, true, true]);
    });

    it('can be followed from any position, and nothing is missed', async () => {
      const cluster = unique('follow');
      const from = await current().journal.position();
      const one = await current().journal.begin(begun(cluster));
      await current().journal.begin(begun(unique('elsewhere')));
      await current().journal.end(one, ended());
      const seen = [];
      for (let last = from; ; ) {
        const stretch = await current().journal.follow({ cluster }, last, 1);
        if (stretch.last === last) break;
        seen.push(...stretch.items.map(({ part, entry }) => [part, entry.id]));
        last = stretch.last;
      }
      expect(seen).toEqual([
        ['begin', one.id],
        ['end', one.id],
      ]);
      expect((await current().journal.follow({ cluster, host: 'w-9' }, from, 10)).items).toEqual([]);
    });

    it('filters by actor, kind, result and time, from either end', async () => {
      const cluster = unique('filter');
      const add = (minute: number, more: Partial<RecordBegun>) =>
        current().journal.record(begun(cluster, { startedAt: at(minute), seq: minute, ...more }), ended());
      await add(1, {});
      await add(2, { actor: 'bob' });
      await add(3, { kind: 'upload', changes: [CHANGE] });
      await current().journal.record(begun(cluster, { startedAt: at(4), seq: 4 }), ended({ code: 1 }));
      const seqs = async (filter: object) =>
        (await current().journal.list({ cluster, limit: 9, ...filter })).items.map(({ seq }) => seq);
      expect(await seqs({ actor: 'bob' })).toEqual([2]);
      expect(await seqs({ kind: 'upload' })).toEqual([3]);
      expect(await seqs({ changed: true })).toEqual([3]);
      expect(await seqs({ result: 'failed' })).toEqual([4]);
      expect(await seqs({ since: at(2), until: at(4) })).toEqual([2, 3]);
      const first = await current().journal.list({ cluster, limit: 3, order: 'newest' });
      expect(first.items.map(({ seq }) => seq)).toEqual([4, 3, 2]);
      expect(await seqs({ order: 'newest', cursor: first.next })).toEqual([1]);
    });
  });
}
