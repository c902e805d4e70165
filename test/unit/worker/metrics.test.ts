import { createServer } from 'node:http';
import { afterEach, expect, it, test } from 'vitest';
import { counted } from '../../../activities/metrics.ts';
import { processRegistry } from '../../../telemetry/registry.ts';
import { workerMetrics } from '../../../worker/metrics.ts';
import { metricsAddress } from '../../../worker/metrics-address.ts';
import { type MetricsServer, serveMetrics } from '../../../worker/metrics-server.ts';
import { parseMetrics, valueOf } from '../../support/prometheus-text.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});
const serve = async (token: string | undefined, sdkUrl: string | null = null) => {
  const registry = processRegistry('worker');
  const metrics = workerMetrics(registry, () => 3);
  const warnings: string[] = [];
  const server: MetricsServer = await serveMetrics({
    ...{ registry, sdkUrl },
    listen: { host: '127.0.0.1', port: 0, token, given: true },
    logger: { warn: (_details, message) => warnings.push(message) },
  });
  open.push(server);
  return { server, metrics, warnings };
};

it('counts tasks by phase and result, commands, logins, connections and heartbeats', async () => {
  const { server, metrics } = await serve(undefined);
  metrics.task('etcd')('succeeded');
  const end = metrics.task('etcd');
  metrics.login('SSH_UNREACHABLE');
  metrics.heartbeat(0.3);
  const recorder = counted({ begin: () => Promise.resolve({ seq: 1, end: () => Promise.resolve() }) }, metrics);
  const startedAt = new Date(0);
  const record = {
    host: 'h',
    hostKeyFingerprint: '',
    kind: 'script',
    argv: [],
    stdinSha256: null,
    stdinBytes: 0,
  } as const;
  const command = await recorder.begin({ ...record, argv: [], startedAt });
  await command.end({ endedAt: new Date(2_000), error: 'COMMAND_FAILED' } as never);
  const samples = parseMetrics(await (await fetch(server.url)).text());
  expect(valueOf(samples, 'kubewright_tasks_total', { phase: 'etcd', result: 'succeeded', process: 'worker' })).toBe(1);
  expect(valueOf(samples, 'kubewright_tasks_running')).toBe(1);
  expect(valueOf(samples, 'kubewright_ssh_logins_total', { result: 'SSH_UNREACHABLE' })).toBe(1);
  expect(valueOf(samples, 'kubewright_ssh_commands_total', { kind: 'script', result: 'COMMAND_FAILED' })).toBe(1);
  expect(valueOf(samples, 'kubewright_ssh_command_duration_seconds_sum')).toBe(2);
  expect(valueOf(samples, 'kubewright_ssh_connections')).toBe(3);
  expect(valueOf(samples, 'kubewright_heartbeat_delay_seconds_count')).toBe(1);
  expect(samples.some(({ name }) => name === 'kubewright_event_loop_delay_seconds')).toBe(true);
  end('DISK_FULL');
  const after = parseMetrics(await (await fetch(server.url)).text());
  expect(valueOf(after, 'kubewright_tasks_total', { phase: 'etcd' })).toBe(2);
  expect(valueOf(after, 'kubewright_tasks_running')).toBe(0);
});

it('adds the metrics of the SDK, or a comment when they cannot be read', async () => {
  const sdk = createServer((_request, response) => {
    response.end('# TYPE temporal_x counter\ntemporal_x{a="b"} 4\n');
  });
  await new Promise<void>((resolve) => sdk.listen(0, '127.0.0.1', resolve));
  const { port } = sdk.address() as { port: number };
  const { server, warnings } = await serve(undefined, `http://127.0.0.1:${port}/metrics`);
  expect(valueOf(parseMetrics(await (await fetch(server.url)).text()), 'temporal_x')).toBe(4);
  sdk.closeAllConnections();
  await new Promise((resolve) => sdk.close(resolve));
  const text = await (await fetch(server.url)).text();
  expect(parseMetrics(text).length).toBeGreaterThan(10);
  expect(text).toMatch(/# the SDK's metrics could not be read/);
  expect(warnings).toHaveLength(1);
});

it('with a token answers only callers that send it, and serves only metrics', async () => {
  const token = 'a-token-of-some-length';
  const { server } = await serve(token);
  const status = async (authorization?: string, path = '/metrics', method = 'GET') =>
    (await fetch(server.url.replace('/metrics', path), { method, headers: authorization ? { authorization } : {} }))
      .status;
  expect(await status()).toBe(401);
  expect(await status('Bearer wrong')).toBe(401);
  expect(await status(`Bearer ${token}`)).toBe(200);
  expect(await status(`Bearer ${token}`, '/')).toBe(404);
  expect(await status(`Bearer ${token}`, '/metrics', 'POST')).toBe(405);
});

test.each([
  [{}, { host: '127.0.0.1', port: 9464, given: false }],
  [{ KUBEWRIGHT_METRICS_LISTEN: 'off' }, null],
  [{ KUBEWRIGHT_METRICS_LISTEN: '[::1]:9000' }, { host: '::1', port: 9000, given: true }],
  [{ KUBEWRIGHT_METRICS_LISTEN: '0.0.0.0:9000', KUBEWRIGHT_METRICS_TOKEN: 'x'.repeat(16) }, { host: '0.0.0.0' }],
])('%j is %j', (env, expected) => {
  const problems: string[] = [];
  const address = metricsAddress(env, problems);
  expect(problems).toEqual([]);
  if (expected === null) expect(address).toBeNull();
  else expect(address).toMatchObject(expected);
});

test.each([
  [{ KUBEWRIGHT_METRICS_LISTEN: '0.0.0.0:9000' }],
  [{ KUBEWRIGHT_METRICS_LISTEN: 'worker.example.org:9000' }],
  [{ KUBEWRIGHT_METRICS_LISTEN: '127.0.0.1' }],
  [{ KUBEWRIGHT_METRICS_LISTEN: '127.0.0.1:70000' }],
  [{ KUBEWRIGHT_METRICS_TOKEN: 'short' }],
])('%j is refused', (env) => {
  const problems: string[] = [];
  metricsAddress(env, problems);
  expect(problems).toHaveLength(1);
});
