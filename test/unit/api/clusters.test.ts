import { beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { OperationStatus, TaskStatus } from '../../../contracts/operation.ts';
import { planOf } from '../../support/temporal-plan.ts';
import { host, type Json, KUBECONFIG, spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
  return () => api.close();
});

const post = (body: unknown, headers: Record<string, string> = {}, query = '') =>
  api.call('POST', `/clusters${query}`, { body, headers });

const save = async (more: Partial<OperationStatus>) =>
  api.store.projections.saveOperation({
    ...(await api.store.projections.operation('demo', 'op-1'))!,
    ...more,
  });
const task = (phase: string, state: TaskStatus['state'], more: Partial<TaskStatus> = {}): TaskStatus => ({
  phase,
  host: 'cp-1',
  state,
  attempt: 1,
  decision: 0,
  ...more,
});

describe('POST /clusters', () => {
  it('starts one build and returns its links', async () => {
    const answer = await post(spec());
    expect(answer).toMatchObject({
      status: 202,
      body: { cluster: 'demo', operation: 'op-1' },
      headers: { location: '/clusters/demo/operations/op-1' },
    });
    expect(api.temporal.submitted).toMatchObject([
      { cluster: 'demo', kind: 'build', mode: 'apply', actor: { name: 'admin', role: 'admin' } },
    ]);
    const links = answer.body['links'] as Record<string, string>;
    expect((await api.call('GET', links['operation']!)).body).toMatchObject({ state: 'queued', kind: 'build' });
    expect((await api.call('GET', links['cluster']!)).body).toMatchObject({ name: 'demo', state: 'building' });
  });

  it.each(['application/yaml', 'application/x-yaml', 'text/yaml; charset=utf-8'])('takes %s', async (type) => {
    expect((await post(stringify(spec()), { 'content-type': type })).status).toBe(202);
    const stored = await api.store.specs.get(api.temporal.submitted[0]!.specRef);
    expect(stored.spec.kubernetes.version).toBe('1.36.3');
  });

  it('twice with one Idempotency-Key is one build', async () => {
    const headers = { 'idempotency-key': 'k-1' };
    const answers = await Promise.all([post(spec(), headers), post(spec(), headers), post(spec(), headers)]);
    answers.push(await post(spec(), headers));
    expect(answers.map(({ status, body }) => [status, body['operation']])).toEqual(Array(4).fill([202, 'op-1']));
    expect(api.temporal.submitted).toHaveLength(1);
  });

  it('the networks of a cluster that runs stay; of one that was never ready they may change', async () => {
    await post(spec());
    const moved = spec({ network: { serviceCidr: '10.97.0.0/16' } });
    expect((await post(moved)).status).toBe(202);
    await post(spec());
    const latest = api.temporal.submitted.length;
    await api.store.projections.saveOperation({
      ...(await api.store.projections.operation('demo', `op-${latest}`))!,
      state: 'succeeded',
    });
    expect(await post(moved)).toMatchObject({
      status: 409,
      body: {
        code: 'SWITCH_REFUSED',
        errors: [{ path: 'spec.network.serviceCidr', message: expect.stringContaining('10.96.0.0/16') }],
      },
    });
    expect(api.temporal.submitted).toHaveLength(latest);
  });

  it('a host of a cluster that was built leaves by its DELETE only, and so does its role as a node', async () => {
    const [first, second] = [host({ name: 'cp-1' }), host({ name: 'w-1', address: '10.9.0.2', roles: ['worker'] })];
    const idle = { ...second, roles: ['time-server'] };
    await post(spec({}, [first, second]));
    expect((await post(spec({}, [first]), {}, '?dryRun=true')).status).not.toBe(409);
    await post(spec({}, [first, second]));
    const latest = api.temporal.submitted.length;
    await api.store.projections.saveOperation({
      ...(await api.store.projections.operation('demo', `op-${latest}`))!,
      state: 'succeeded',
    });
    for (const [hosts, message] of [
      [[first], /has no w-1 any more/],
      [[first, idle], /has no worker any more: w-1 runs the phase/],
    ] as const) {
      for (const query of ['', '?dryRun=true']) {
        const answer = await post(spec({}, [...hosts]), {}, query);
        expect(answer).toMatchObject({
          status: 409,
          body: { code: 'REMOVAL_REFUSED', errors: [{ message: expect.stringMatching(message) }] },
        });
      }
    }
    expect(api.temporal.submitted).toHaveLength(latest);
    expect((await post(spec({}, [first, second, { ...second, name: 'w-2', address: '10.9.0.3' }]))).status).toBe(202);
  });

  it('one key for another body is refused', async () => {
    const headers = { 'idempotency-key': 'k-1' };
    await post(spec(), headers);
    const other = await post(spec({ policy: { onHostFailure: 'abort' } }), headers);
    expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
    expect((await post(spec(), headers, '?dryRun=true')).status).toBe(422);
    expect(api.temporal.submitted).toHaveLength(1);
  });

  it('without a key each request is its own', async () => {
    await post(spec());
    await post(spec());
    expect(api.temporal.submitted).toHaveLength(2);
  });

  it('answers 503 with Retry-After, and the same key works later', async () => {
    const headers = { 'idempotency-key': 'k-1' };
    api.temporal.down = true;
    const refused = await post(spec(), headers);
    expect(refused).toMatchObject({ status: 503, body: { code: 'TEMPORAL_UNAVAILABLE' } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await api.call('GET', '/clusters/demo')).status).toBe(404);
    api.temporal.down = false;
    expect(await post(spec(), headers)).toMatchObject({ status: 202, body: { operation: 'op-1' } });
  });

  it('takes a stored credential', async () => {
    const named = spec({ ssh: { credential: { name: 'lab' } } });
    expect((await post(named)).status).toBe(422);
    const put = await api.call('PUT', '/credentials/lab', { body: { kind: 'password', password: 'secret-word' } });
    expect(put.status).toBe(200);
    expect((await post(named)).status).toBe(202);
  });
});

const prepare = { cluster: 'demo', operationId: 'op-1', phase: 'prepare', host: 'cp-1', round: 1 };

describe('a dry run', () => {
  const change = { resource: 'file:/etc/hosts', action: 'update' as const, detail: 'content differs' };
  beforeEach(async () => {
    await api.store.taskChanges.save(prepare, { changes: [change], changeCount: 1 });
    await api.store.plans.save('op-1', planOf('demo', [{ name: 'prepare', hosts: ['cp-1'] }], { mode: 'check' }));
  });
  const ending = (state: OperationStatus['state'], tasks: TaskStatus[] = []) => {
    api.temporal.onSubmit = async (cluster, operationId, request) => {
      setTimeout(() => {
        void api.store.projections.saveOperation({
          ...request,
          operationId,
          cluster,
          state,
          actor: 'admin',
          tasks,
          blockedHosts: [],
          quarantinedHosts: [],
        });
      }, 50);
    };
  };

  it('answers with plan and diff, in mode check, and makes no cluster', async () => {
    ending('succeeded', [task('prepare', 'succeeded')]);
    api.temporal.history = () => Promise.reject(new Error('no history is read'));
    const answer = await post(spec(), {}, '?dryRun=true');
    expect(answer).toMatchObject({
      status: 200,
      body: {
        state: 'succeeded',
        plan: [{ name: 'prepare', hosts: ['cp-1'] }],
        hosts: [{ host: 'cp-1', changes: [{ phase: 'prepare', ...change }] }],
        changeCount: 1,
        errors: [],
      },
    });
    expect(api.temporal.submitted).toMatchObject([{ kind: 'build', mode: 'check' }]);
    expect((await api.call('GET', '/clusters')).body).toMatchObject({ items: [] });
  });

  it('that blocks is ended with the cause', async () => {
    ending('blocked', [task('prepare', 'blocked', { error: { code: 'SSH_UNREACHABLE', message: 'no route' } })]);
    const answer = await post(spec(), {}, '?dryRun=true');
    expect(answer).toMatchObject({ status: 200, body: { state: 'blocked', errors: [{ code: 'SSH_UNREACHABLE' }] } });
    expect(api.temporal.commands).toMatchObject([{ type: 'cancel', operationId: 'op-1' }]);
  });

  it('that takes long is handed over', async () => {
    expect(await post(spec(), {}, '?dryRun=true')).toMatchObject({ status: 202, body: { operation: 'op-1' } });
  });
});

describe('GET /clusters/:name', () => {
  it('shows hosts, tasks, timings, and what is blocked, why, and what to do', async () => {
    await post(spec({}, [host(), host({ name: 'w-1', address: '10.0.0.2', roles: ['worker'] })]));
    await save({
      state: 'blocked',
      startedAt: '2026-11-21T12:00:00.000Z',
      blockedHosts: ['w-1'],
      tasks: [
        task('prepare', 'succeeded', { startedAt: '2026-11-21T12:00:00.000Z', endedAt: '2026-11-21T12:00:02.000Z' }),
        task('prepare', 'blocked', {
          host: 'w-1',
          startedAt: '2026-11-21T12:00:01.000Z',
          error: { code: 'SSH_UNREACHABLE', message: 'connection refused', evidence: '10.0.0.2:22' },
        }),
        task('flannel', 'running', { startedAt: '2026-11-21T12:00:02.000Z' }),
      ],
    });
    const { body } = await api.call('GET', '/clusters/demo', { as: 'viewer' });
    expect(body).toMatchObject({
      name: 'demo',
      state: 'blocked',
      kubernetesVersion: '1.36.3',
      smokeImage: 'registry.example/busybox:1',
      hosts: [
        { name: 'cp-1', state: 'running', tasksDone: 1, tasks: 2 },
        { name: 'w-1', state: 'blocked' },
      ],
      blockedHosts: [
        {
          host: 'w-1',
          phase: 'prepare',
          code: 'SSH_UNREACHABLE',
          cause: 'connection refused',
          evidence: '10.0.0.2:22',
          hint: expect.stringContaining('sshd'),
        },
      ],
    });
    expect((body['tasks'] as unknown[]).length).toBe(3);
    expect((body['timings'] as Json)['phases']).toMatchObject([{ phase: 'prepare' }, { phase: 'flannel' }]);
  });

  it('is 404 for an unknown one', async () => {
    expect(await api.call('GET', '/clusters/absent')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
  });

  it('one that is built and not healthy is degraded, with the reasons; lists leave out their evidence', async () => {
    await post(spec());
    expect((await api.call('GET', '/clusters/demo')).body).toMatchObject({ state: 'building', health: null });
    const reason = { code: 'DISK_PRESSURE', subject: 'node w-1', reason: 'w-1 has DiskPressure' } as const;
    const health: NonNullable<OperationStatus['health']> = {
      state: 'degraded',
      at: '2026-11-30T12:00:00.000Z',
      operationId: 'op-1',
      reasons: Array.from({ length: 7 }, () => ({ ...reason, evidence: 'KubeletHasDiskPressure' })),
      reasonCount: 7,
    };
    await save({ state: 'succeeded', health });
    expect((await api.call('GET', '/clusters/demo')).body).toMatchObject({ state: 'degraded', health });
    const { body } = await api.call('GET', '/clusters/demo/operations/op-1');
    expect(body).toMatchObject({ state: 'succeeded', health });
    const [listed] = (await api.call('GET', '/clusters')).body['items'] as Json[];
    expect(listed).toMatchObject({ state: 'degraded', health: { reasonCount: 7 } });
    expect((listed!['health'] as { reasons: Json[] }).reasons).toEqual(Array(5).fill(reason));
    await save({
      state: 'succeeded',
      health: { ...health, state: 'healthy', at: '2026-11-30T12:01:00.000Z', reasons: [], reasonCount: 0 },
    });
    expect((await api.call('GET', '/clusters/demo')).body).toMatchObject({ state: 'ready', health: { reasons: [] } });
  });

  it('lists pages', async () => {
    for (const name of ['a', 'b', 'c']) await post(spec({}, undefined, { name }));
    const first = await api.call('GET', '/clusters?limit=2');
    expect((first.body['items'] as Json[]).map((each) => each['name'])).toEqual(['a', 'b']);
    const second = await api.call('GET', `/clusters?limit=2&cursor=${String(first.body['next'])}`);
    expect(second.body).toMatchObject({ items: [{ name: 'c' }], next: null });
  });
});

describe('operations and commands', () => {
  beforeEach(() => post(spec()));

  it('run again, check, list', async () => {
    // The kind of an earlier version, and its mode of today.
    for (const [id, body] of [
      ['op-2', { kind: 'check', hosts: ['cp-1'] }],
      ['op-3', { kind: 'build', mode: 'check', hosts: ['cp-1'] }],
    ] as const) {
      const again = await api.call('POST', '/clusters/demo/operations', { body });
      expect(again).toMatchObject({ status: 202, body: { operation: id } });
      expect(api.temporal.submitted.at(-1)).toMatchObject({ kind: 'build', mode: 'check', hosts: ['cp-1'] });
      expect((await api.call('GET', `/clusters/demo/operations/${id}`)).body).toMatchObject({
        ...{ kind: 'build', mode: 'check' },
      });
    }
    const { body } = await api.call('GET', '/clusters/demo/operations');
    expect((body['items'] as Json[]).map((each) => each['operationId'])).toEqual(['op-3', 'op-2', 'op-1']);
    for (const [wrong, detail] of [
      [{ kind: 'build', hosts: ['nobody'] }, 'there is no nobody'],
      [{ kind: 'buidl' }, '`build`'],
      [{ kind: 'check', mode: 'check' }, 'unknown key `mode`'],
      [{ kind: 'heal', mode: 'check' }, 'unknown key `mode`'],
      [{}, 'body.kind is required'],
      [{ kind: 'build', mode: 'try' }, 'body.mode'],
      [{ kind: 'build', extra: 1 }, 'unknown key `extra`'],
    ] as const) {
      const answer = await api.call('POST', '/clusters/demo/operations', { body: wrong });
      expect(answer).toMatchObject({ status: 400, body: { detail: expect.stringContaining(detail) } });
    }
    expect((await api.call('POST', '/clusters/absent/operations', { body: { kind: 'build' } })).status).toBe(404);
  });

  it('the detail has what each task changed, when asked, from our store', async () => {
    const changes = [{ resource: 'file:/etc/hosts', action: 'create' as const, detail: 'new' }];
    await save({ tasks: [task('prepare', 'succeeded'), task('flannel', 'succeeded')] });
    await api.store.taskChanges.save(prepare, { changes, changeCount: 1 });
    api.temporal.down = true;
    const url = '/clusters/demo/operations/op-1';
    expect((await api.call('GET', url)).body).toMatchObject({ changes: [] });
    expect((await api.call('GET', `${url}?changes=true`)).body['changes']).toEqual([
      { phase: 'prepare', host: 'cp-1', changes, changeCount: 1 },
    ]);
    expect((await api.call('GET', '/clusters/demo/operations/op-99')).status).toBe(404);
  });

  it('the detail has the plan, when asked, also when Temporal is unreachable; null before it is made', async () => {
    const url = '/clusters/demo/operations/op-1';
    expect((await api.call('GET', `${url}?plan=true`)).body['plan']).toBeNull();
    const plan = planOf('demo', [{ name: 'prepare', hosts: ['cp-1'] }], {
      windows: [{ what: 'etcd', phases: ['prepare'], hosts: ['cp-1'], atMost: 1 }],
    });
    await api.store.plans.save('op-1', { ...plan, phases: [] as never });
    await api.store.plans.save('op-1', plan);
    api.temporal.down = true;
    expect((await api.call('GET', url)).body).not.toHaveProperty('plan');
    const { status, body } = await api.call('GET', `${url}?plan=true`, { as: 'viewer' });
    expect({ status, plan: body['plan'] }).toEqual({ status: 200, plan });
    expect(await api.call('GET', `${url}?plan=yes`)).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'query.plan' }] },
    });
    expect((await api.call('GET', `${url}?plan=true`, { as: null })).status).toBe(401);
  });

  it('the admin kubeconfig is for admins', async () => {
    const answer = await api.call('GET', '/clusters/demo/kubeconfig');
    expect(answer).toMatchObject({ status: 200, text: KUBECONFIG });
    expect((await api.call('GET', '/clusters/demo/kubeconfig', { as: 'operator' })).status).toBe(403);
    await post(spec({}, undefined, { name: 'other' }));
    expect((await api.call('GET', '/clusters/other/kubeconfig')).status).toBe(409);
  });
});

describe('history', () => {
  it('joins events with commands, and serves their output', async () => {
    await post(spec());
    const id = await api.store.journal.begin({
      actor: 'admin',
      requestId: 'request',
      namespace: 'kube',
      cluster: 'demo',
      operation: 'op-1',
      workflowId: 'cluster/demo/op/op-1',
      runId: 'r',
      activityId: 'prepare:cp-1:0',
      attempt: 1,
      phase: 'prepare',
      host: 'cp-1',
      hostKeyFingerprint: 'SHA256:x',
      seq: 1,
      kind: 'exec',
      argv: ['true'],
      stdinSha256: null,
      stdinBytes: 0,
      startedAt: new Date(),
    });
    const ended = { endedAt: new Date(), code: 0, signal: null, stderr: '', stdoutBytes: 2, stderrBytes: 0 };
    await api.store.journal.end(id, { ...ended, stdout: 'hi\x1b[2J', truncated: false, error: null });
    const event = { time: new Date().toISOString(), activityId: 'prepare:cp-1:0', phase: 'prepare', host: 'cp-1' };
    api.temporal.answers.events = [
      { id: '1', time: event.time, type: 'WorkflowExecutionStarted' },
      { ...event, id: '5', type: 'ActivityTaskScheduled' },
      { ...event, id: '7', type: 'ActivityTaskCompleted' },
    ];
    const { body } = await api.call('GET', '/clusters/demo/history?operation=op-1&phase=prepare');
    expect(body).toMatchObject({
      operation: 'op-1',
      events: [{ id: '5', type: 'ActivityTaskScheduled' }, { id: '7' }],
      items: [{ argv: ['true'], exitCode: 0, eventId: '5' }],
      next: null,
    });
    const sha = (body['items'] as { stdoutSha256: string }[])[0]!.stdoutSha256;
    expect(await api.call('GET', `/clusters/demo/history/output/${sha}`)).toMatchObject({
      status: 200,
      text: 'hi\\u{1b}[2J',
    });
    const raw = await api.call('GET', `/clusters/demo/history/output/${sha}?raw=true`);
    expect(raw).toMatchObject({ status: 200, text: 'hi\x1b[2J' });
    expect((await api.call('GET', `/clusters/other/history/output/${sha}`)).status).toBe(404);

    api.temporal.down = true;
    const without = await api.call('GET', '/clusters/demo/history?operation=op-1&kind=exec');
    expect(without).toMatchObject({ status: 200, body: { events: [], items: [{ eventId: null }] } });
  });
});

describe('roles without a phase', () => {
  it.each(['load-balancer', 'entry'])('%s is refused by name', async (role) => {
    const answer = await post(spec({}, [host({ roles: ['control-plane', 'etcd', 'worker', role] })]));
    expect(answer).toMatchObject({
      status: 422,
      body: {
        code: 'SPEC_INVALID',
        errors: [{ path: 'spec.hosts[0].roles[3]', message: expect.stringContaining(`the role ${role} has no phase`) }],
      },
    });
  });

  it('do not stop the cluster of an earlier version from being built and corrected', async () => {
    await post(spec());
    const status = (await api.store.projections.operation('demo', 'op-1'))!;
    const earlier = await api.store.specs.get(status.specRef);
    earlier.spec.hosts[0]!.roles.push('entry');
    const specRef = await api.store.specs.put(earlier);
    await save({ specRef, state: 'succeeded' });
    expect((await api.call('POST', '/clusters/demo/operations', { body: { kind: 'build' } })).status).toBe(202);
  });
});
