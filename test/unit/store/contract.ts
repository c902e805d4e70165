import { createHash, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { OperationStatus, TaskStatus } from '../../../contracts/operation.ts';
import type { Store } from '../../../store/index.ts';
import { parseKeyring } from '../../../store/keyring.ts';
import { eventsContract } from './events-contract.ts';
import { healthContract } from './health-contract.ts';
import { begun, ended, journalContract, testKey } from './journal-contract.ts';
import { ownershipContract } from './ownership-contract.ts';
import { plansContract } from './plans-contract.ts';
import { quarantineContract } from './quarantine-contract.ts';
import { spec } from './sample-spec.ts';
import { sessionsContract } from './sessions-contract.ts';
import { tasksContract } from './tasks-contract.ts';

const task = (phase: string, state: TaskStatus['state'], more: Partial<TaskStatus> = {}): TaskStatus => ({
  phase,
  host: 'cp-1',
  state,
  attempt: 1,
  decision: 0,
  ...more,
});

/** What every engine must do. `open` gives a store on one database that is empty at first. */
export function storeContract(open: (keys: string) => Promise<Store>): void {
  let store: Store;
  beforeAll(async () => {
    store = await open(testKey(1));
    return () => store.close();
  });
  const unique = (() => {
    let count = 0;
    return (prefix: string) => `${prefix}-${++count}`;
  })();
  const status = async (cluster: string, more: Partial<OperationStatus> = {}): Promise<OperationStatus> => ({
    operationId: 'op-1',
    cluster,
    kind: 'build',
    mode: 'apply',
    state: 'running',
    actor: 'admin',
    specRef: await store.specs.put(spec(cluster)),
    queuedAt: '2026-11-21T12:00:00.000Z',
    tasks: [],
    blockedHosts: [],
    quarantinedHosts: [],
    ...more,
  });

  ownershipContract(() => store, { unique, status });
  eventsContract(() => store, { unique, status });

  it('answers, and opens a second time on the same database', async () => {
    await store.ping();
    const second = await open(testKey(1));
    await second.ping();
    await second.close();
  });

  describe('specs', () => {
    it('have one digest however their keys are ordered', async () => {
      const one = spec('order');
      const other = Object.fromEntries(Object.entries(one).reverse()) as ClusterSpec;
      const digest = await store.specs.put(one);
      expect(await store.specs.put(other)).toBe(digest);
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
      expect(await store.specs.get(digest)).toEqual(one);
    });

    it('that are unknown are NOT_FOUND', async () => {
      await expect(store.specs.get('f'.repeat(64))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });

  plansContract(() => store);
  sessionsContract(() => store);

  describe('secrets', () => {
    it('come back, are replaced, listed by name and deleted', async () => {
      const scope = unique('scope');
      await store.secrets.put(scope, 'b', 'für dich');
      await store.secrets.put(scope, 'a', '');
      await store.secrets.put(scope, 'b', 'second');
      expect(await store.secrets.get(scope, 'b')).toBe('second');
      expect(await store.secrets.get(scope, 'a')).toBe('');
      expect(await store.secrets.get(scope, 'c')).toBeNull();
      expect((await store.secrets.list(scope)).map(({ name }) => name)).toEqual(['a', 'b']);
      expect(await store.secrets.delete(scope, 'a')).toBe(true);
      expect(await store.secrets.delete(scope, 'a')).toBe(false);
    });

    it('are created once, for any first caller', async () => {
      const scope = unique('scope');
      const values = await Promise.all(
        Array.from({ length: 8 }, (_, index) => store.secrets.createIfAbsent(scope, 'ca', () => `made by ${index}`)),
      );
      expect(new Set(values).size).toBe(1);
      expect(await store.secrets.createIfAbsent(scope, 'ca', () => Promise.reject(new Error('called')))).toBe(
        values[0],
      );
    });

    it('need their key, which may have been rotated', async () => {
      const scope = unique('scope');
      await store.secrets.put(scope, 'old', 'sealed with 1');
      const rotated = await open(`${testKey(2)},${testKey(1)}`);
      expect(await rotated.secrets.get(scope, 'old')).toBe('sealed with 1');
      await rotated.secrets.put(scope, 'new', 'sealed with 2');
      await rotated.close();
      await expect(store.secrets.get(scope, 'new')).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' });
    });
  });

  it('credentials are typed, listed without values and deleted', async () => {
    const name = unique('credential');
    await store.credentials.put(name, { kind: 'password', password: 'hunter2' });
    expect(await store.credentials.get(name)).toEqual({ kind: 'password', password: 'hunter2' });
    expect(await store.credentials.get('absent')).toBeNull();
    expect(JSON.stringify(await store.credentials.list({ limit: 200 }))).not.toContain('hunter2');
    expect(await store.credentials.delete(name)).toBe(true);
    expect(await store.credentials.get(name)).toBeNull();
  });

  it('host keys: the first one stays until it is forgotten', async () => {
    const cluster = unique('keys');
    expect(await store.hostKeys.get(cluster, 'cp-1')).toBeNull();
    await store.hostKeys.record(cluster, 'cp-1', 'ssh-ed25519 AAAA');
    await store.hostKeys.record(cluster, 'cp-1', 'ssh-ed25519 BBBB');
    expect(await store.hostKeys.get(cluster, 'cp-1')).toBe('ssh-ed25519 AAAA');
    expect(await store.hostKeys.list(cluster)).toMatchObject([{ host: 'cp-1', key: 'ssh-ed25519 AAAA' }]);
    expect(await store.hostKeys.remove(cluster, 'cp-1')).toBe(true);
    await store.hostKeys.record(cluster, 'cp-1', 'ssh-ed25519 BBBB');
    expect(await store.hostKeys.get(cluster, 'cp-1')).toBe('ssh-ed25519 BBBB');
  });

  it('tokens may be limited to some clusters', async () => {
    const clusters = ['one', 'two'];
    const { token, info } = await store.tokens.create('some', 'operator', { clusters });
    expect(await store.tokens.verify(token)).toEqual({
      actor: { name: 'some', role: 'operator', id: info.id },
      clusters,
    });
    expect((await store.tokens.list()).find(({ id }) => id === info.id)).toEqual(info);
    expect((await store.tokens.verify((await store.tokens.create('all', 'viewer')).token))!.clusters).toBeNull();
  });

  it('tokens: known, expired, revoked, unknown', async () => {
    const { token, info } = await store.tokens.create('ops', 'operator');
    expect(await store.tokens.verify(token)).toEqual({
      actor: { name: 'ops', role: 'operator', id: info.id },
      clusters: null,
    });
    expect(await store.tokens.verify(`${token}x`)).toBeNull();
    expect(await store.tokens.verify(token.slice(3))).toBeNull();
    const old = await store.tokens.create('old', 'admin', { expiresAt: new Date('2020-01-01') });
    expect(await store.tokens.verify(old.token)).toBeNull();
    expect(await store.tokens.revoke(info.id)).toBe(true);
    expect(await store.tokens.revoke(info.id)).toBe(false);
    expect(await store.tokens.verify(token)).toBeNull();
    const listed = JSON.stringify(await store.tokens.list());
    expect(listed).toContain('"ops"');
    expect(listed).not.toContain(token);
  });

  describe('journal', () => {
    it('shows a command that has not ended, and then how it ended', async () => {
      const cluster = unique('journal');
      const id = await store.journal.begin(begun(cluster));
      const [open] = (await store.journal.list({ cluster, limit: 10 })).items;
      expect(open).toMatchObject({
        id: id.id,
        endedAt: null,
        exitCode: null,
        stdinBytes: 5_000_000_000,
        argv: begun('x').argv,
      });
      const stdout = 'line\n'.repeat(1000);
      await store.journal.end(id, ended({ stdout, stderr: 'oops', code: 1, truncated: true, error: 'COMMAND_FAILED' }));
      const [done] = (await store.journal.list({ cluster, limit: 10 })).items;
      expect(done).toMatchObject({
        endedAt: '2026-11-21T12:00:01.000Z',
        exitCode: 1,
        truncated: true,
        error: 'COMMAND_FAILED',
        stdoutSha256: createHash('sha256').update(stdout).digest('hex'),
      });
      expect(await store.blobs.get(done!.stdoutSha256!)).toBe(stdout);
      expect(await store.blobs.get(done!.stderrSha256!)).toBe('oops');
      expect(await store.journal.hasOutput(cluster, done!.stderrSha256!)).toBe(true);
      expect(await store.journal.hasOutput('other', done!.stderrSha256!)).toBe(false);
    });

    it('filters and pages in the order of beginning', async () => {
      const cluster = unique('journal');
      for (let seq = 1; seq <= 5; seq += 1) await store.journal.begin(begun(cluster, { seq }));
      await store.journal.begin(begun(cluster, { seq: 6, phase: 'chrony', host: 'w-1', operation: 'op-2' }));
      const seen: number[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await store.journal.list({ cluster, limit: 2, cursor });
        seen.push(...page.items.map(({ seq }) => seq));
        if (page.next === null) break;
        cursor = page.next;
      }
      expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
      for (const filter of [{ phase: 'chrony' }, { host: 'w-1' }, { operation: 'op-2' }]) {
        const { items } = await store.journal.list({ cluster, limit: 10, ...filter });
        expect(items.map(({ seq }) => seq)).toEqual([6]);
      }
    });
  });

  journalContract(() => store, open, unique);

  it('blobs keep any text once', async () => {
    const text = `${randomBytes(2000).toString('base64')} ünï ☸`;
    const digest = await store.blobs.put(text);
    expect(await store.blobs.put(text)).toBe(digest);
    expect(await store.blobs.get(digest)).toBe(text);
    expect(await store.blobs.get('0'.repeat(64))).toBeNull();
  });

  it('payload keys: the first one is shared, later ones seal, all of them open', async () => {
    const other = await open(testKey(1));
    const [first, same] = await Promise.all([store.payloadKeys.current(), other.payloadKeys.current()]);
    expect(Buffer.from(first.key).equals(same.key)).toBe(true);
    expect(first.key).toHaveLength(32);
    const second = await store.payloadKeys.add();
    expect(second.id > first.id).toBe(true);
    expect(await store.payloadKeys.current()).toEqual(second);
    expect(await other.payloadKeys.byId(second.id)).toEqual(second);
    expect(await store.payloadKeys.byId(first.id)).toEqual(first);
    for (const id of ['999999', '', '../key', '1']) expect(await store.payloadKeys.byId(id)).toBeNull();
    await other.close();
  });

  it('rotation: every secret is sealed by the first key, while others read and write; then the old one can go', async () => {
    const [scope, count] = [unique('rotate'), 250];
    for (let n = 0; n < count; n++) await store.secrets.put(scope, `n-${n}`, `value ${n}`);
    await expect(store.rotation.rotate()).rejects.toMatchObject({ code: 'CONFLICT' });
    const before = await store.payloadKeys.current();

    const ring = await open(`${testKey(2)},${testKey(1)}`);
    const writing = ring.secrets.put(scope, 'n-7', 'changed meanwhile');
    const [done] = await Promise.all([ring.rotation.rotate(), writing]);
    expect(done.resealed).toBeGreaterThanOrEqual(count - 1);
    expect(done.oldKeyIds).toEqual([parseKeyring(testKey(1)).currentId]);
    await expect(ring.rotation.dropOld()).rejects.toMatchObject({ code: 'CONFLICT' });

    const alone = await open(testKey(2));
    for (const n of [0, 100, count - 1]) expect(await alone.secrets.get(scope, `n-${n}`)).toBe(`value ${n}`);
    expect(await alone.secrets.get(scope, 'n-7')).toBe('changed meanwhile');
    // What was sealed for Temporal still opens; from now on another key seals.
    expect(await alone.payloadKeys.byId(before.id)).toEqual(before);
    expect((await alone.payloadKeys.current()).id > before.id).toBe(true);

    const back = await open(`${testKey(1)},${testKey(2)}`);
    await back.rotation.rotate();
    expect(await store.secrets.get(scope, 'n-0')).toBe('value 0');
    for (const each of [ring, alone, back]) await each.close();
  });

  describe('projections', () => {
    it('keep operation and cluster, and a final state stays final', async () => {
      const cluster = unique('proj');
      await store.projections.saveOperation(await status(cluster, { state: 'queued' }), { onlyNew: true });
      expect(await store.projections.cluster(cluster)).toMatchObject({ state: 'building', hosts: 1 });
      await store.projections.saveOperation(await status(cluster, { state: 'blocked', blockedHosts: ['cp-1'] }));
      expect(await store.projections.cluster(cluster)).toMatchObject({ state: 'blocked', latestOperation: 'op-1' });
      await store.projections.saveOperation(await status(cluster, { state: 'queued' }), { onlyNew: true });
      expect((await store.projections.operation(cluster, 'op-1'))?.state).toBe('blocked');
      await store.projections.saveOperation(await status(cluster, { state: 'succeeded' }));
      await store.projections.saveOperation(await status(cluster, { state: 'running' }));
      expect((await store.projections.operation(cluster, 'op-1'))?.state).toBe('succeeded');
      expect(await store.projections.cluster(cluster)).toMatchObject({ state: 'ready', kubernetesVersion: '1.36.3' });
      expect(await store.projections.operation(cluster, 'op-9')).toBeNull();
      expect(await store.projections.cluster('absent')).toBeNull();
    });

    it('a dry run makes no cluster and does not change one', async () => {
      const cluster = unique('proj');
      await store.projections.saveOperation(await status(cluster, { mode: 'check', state: 'failed' }));
      expect(await store.projections.cluster(cluster)).toBeNull();
      await store.projections.saveOperation(await status(cluster, { operationId: 'op-2', state: 'succeeded' }));
      await store.projections.saveOperation(
        await status(cluster, { operationId: 'op-3', mode: 'check', state: 'failed' }),
      );
      expect(await store.projections.cluster(cluster)).toMatchObject({ state: 'ready', latestOperation: 'op-2' });
    });

    quarantineContract(async (cluster, more) => ({ store, status: await status(cluster, more) }));
    tasksContract(async (cluster, more) => ({ store, status: await status(cluster, more) }));
    healthContract(async (cluster, more) => ({ store, status: await status(cluster, more) }));

    it('list operations newest first and clusters by name, in pages', async () => {
      const cluster = unique('zzz');
      for (const n of [1, 2, 3]) {
        await store.projections.saveOperation(
          await status(cluster, { operationId: `op-${n}`, queuedAt: `2026-11-21T12:0${Math.min(n, 2)}:00.000Z` }),
        );
      }
      const first = await store.projections.operations(cluster, { limit: 2 });
      expect(first.items.map(({ operationId }) => operationId)).toEqual(['op-3', 'op-2']);
      const second = await store.projections.operations(cluster, { limit: 2, cursor: first.next! });
      expect(second.items.map(({ operationId }) => operationId)).toEqual(['op-1']);
      expect(second.next).toBeNull();
      expect((await store.projections.latestOperation(cluster))?.operationId).toBe('op-3');

      const page = await store.projections.clusters({ limit: 1 });
      const rest = await store.projections.clusters({ limit: 100, cursor: page.next! });
      expect(rest.items.map(({ name }) => name)).toContain(cluster);
      expect(rest.items.map(({ name }) => name)).not.toContain(page.items[0]!.name);
    });

    it('keep tasks in the order of the plan, after any later write', async () => {
      const cluster = unique('tasks');
      const phases = ['etcd', 'chrony', 'prepare', 'binaries'];
      await store.projections.saveOperation(
        await status(cluster, { tasks: phases.map((name) => task(name, 'pending')) }),
      );
      await store.projections.saveTasks(cluster, 'op-1', [task('prepare', 'running'), task('etcd', 'succeeded')]);
      await store.projections.saveOperation(await status(cluster, { tasks: [task('new', 'pending')] }));
      const { tasks } = (await store.projections.operation(cluster, 'op-1'))!;
      expect(tasks.map(({ phase, state }) => [phase, state])).toEqual([
        ['etcd', 'succeeded'],
        ['chrony', 'pending'],
        ['prepare', 'running'],
        ['binaries', 'pending'],
        ['new', 'pending'],
      ]);
      const { items } = await store.projections.operations(cluster, { limit: 5 });
      expect(items).toEqual([expect.objectContaining({ tasks, taskCounts: { pending: 3, running: 1, succeeded: 1 } })]);

      await store.projections.saveOperation(await status(cluster, { state: 'cancelled' }));
      await store.projections.saveTasks(cluster, 'op-1', [task('etcd', 'running')]);
      await store.projections.saveTasks(cluster, 'op-9', [task('etcd', 'running')]);
      // What had not ended was ended with the operation.
      expect((await store.projections.operation(cluster, 'op-1'))!.tasks.map(({ state }) => state)).toEqual([
        'succeeded',
        ...Array.from({ length: 4 }, () => 'cancelled'),
      ]);
      expect(await store.projections.operation(cluster, 'op-9')).toBeNull();
    });

    it('leave out the tasks of a very large operation in lists only', async () => {
      const cluster = unique('large');
      const tasks = Array.from({ length: 1_200 }, (_, index) => task(`phase-${index}`, 'pending'));
      await store.projections.saveOperation(await status(cluster, { tasks }));
      expect((await store.projections.operation(cluster, 'op-1'))!.tasks).toEqual(tasks);
      const { items } = await store.projections.operations(cluster, { limit: 5 });
      expect(items).toEqual([expect.objectContaining({ tasks: [], taskCounts: { pending: 1_200 } })]);
    });
  });

  it('cluster state: written, replaced, listed by prefix, deleted one by one or all', async () => {
    const { clusterState } = store;
    const [cluster, other] = [unique('noted'), unique('noted')];
    await clusterState.set(cluster, 'machine/cp-1', 'a');
    await clusterState.set(cluster, 'machine/cp-1', 'b');
    await clusterState.set(cluster, 'machine/%', 'c');
    await clusterState.set(cluster, 'other', 'd');
    await clusterState.set(other, 'machine/cp-2', 'e');
    expect(await clusterState.get(cluster, 'machine/cp-1')).toBe('b');
    expect(await clusterState.get(cluster, 'missing')).toBeNull();
    expect(Object.fromEntries(await clusterState.list(cluster, 'machine/'))).toEqual({
      'machine/%': 'c',
      'machine/cp-1': 'b',
    });
    await clusterState.remove(cluster, 'machine/%');
    expect([...(await clusterState.list(cluster, '')).keys()]).toEqual(['machine/cp-1', 'other']);
    await clusterState.remove(cluster);
    expect((await clusterState.list(cluster, '')).size).toBe(0);
    expect(await clusterState.get(other, 'machine/cp-2')).toBe('e');
  });

  it('requests: the first body of a key wins, and its answer is kept', async () => {
    const scope = unique('requests');
    expect(await store.requests.claim(scope, 'key', 'aa')).toEqual({ bodySha256: 'aa', answer: null });
    await store.requests.complete(scope, 'key', '{"operation":"op-1"}');
    expect(await store.requests.claim(scope, 'key', 'bb')).toEqual({
      bodySha256: 'aa',
      answer: '{"operation":"op-1"}',
    });
  });

  it('hundreds of writers at once do not disturb each other', async () => {
    const cluster = unique('busy');
    await Promise.all(
      Array.from({ length: 200 }, async (_, seq) => {
        const id = await store.journal.begin(begun(cluster, { seq }));
        await store.journal.end(id, ended({ stdout: `output ${seq % 7}` }));
        if (seq % 10 === 0) {
          await store.projections.saveOperation(await status(cluster, { operationId: `op-${seq}` }));
        }
      }),
    );
    const { items } = await store.journal.list({ cluster, limit: 500 });
    expect(items.filter(({ exitCode }) => exitCode === 0)).toHaveLength(200);
  });
}

/** A keyring of the given base64 keys. */
export const keyring = parseKeyring;
