import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseMetrics, valueOf } from '../../support/prometheus-text.ts';
import { spec, type TestApi, testApi } from './support.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
});
afterEach(() => api.close());

const scrape = async () => {
  const { status, text, headers } = await api.call('GET', '/metrics', { as: 'viewer' });
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  return parseMetrics(text);
};

it('is for tokens of all clusters', async () => {
  expect((await api.call('GET', '/metrics', { as: null })).status).toBe(401);
  const { token } = await api.store.tokens.create('team', 'admin', { clusters: ['team-a'] });
  const answer = await api.app.inject({ url: '/metrics', headers: { authorization: `Bearer ${token}` } });
  expect(answer.statusCode).toBe(403);
  expect((await api.call('GET', '/metrics/worker', { as: 'viewer' })).status).toBe(404);
});

it('counts requests by route, and makes no series of what callers invent', async () => {
  await api.call('GET', '/clusters');
  await api.call('GET', '/clusters/one');
  await api.call('GET', '/clusters/two');
  await api.call('GET', '/nowhere/at/all?x=1');
  await api.app.inject({ method: 'PROPFIND' as 'GET', url: '/clusters' });
  const samples = await scrape();
  const requests = (labels: Record<string, string>) => valueOf(samples, 'kubewright_http_requests_total', labels);
  expect(requests({ route: '/clusters', method: 'GET', status: '200' })).toBe(1);
  expect(requests({ route: '/clusters/:name', status: '404' })).toBe(2);
  expect(requests({ route: 'none' })).toBeGreaterThanOrEqual(1);
  expect(samples.some(({ labels }) => /"(one|two)"|nowhere|PROPFIND/.test(JSON.stringify(labels)))).toBe(false);
  expect(valueOf(samples, 'kubewright_http_request_duration_seconds_count', { route: '/clusters/:name' })).toBe(2);
});

it('has the present states, queue, blocked hosts and size of the journal', async () => {
  const before = await scrape();
  expect(valueOf(before, 'kubewright_operations', { state: 'blocked' })).toBe(0);
  await api.call('POST', '/clusters', { body: spec() });
  const status = (await api.store.projections.latestOperation('demo'))!;
  await api.store.projections.saveOperation({ ...status, state: 'blocked', blockedHosts: ['cp-1', 'w-1'] });
  await api.store.projections.saveOperation({ ...status, operationId: 'op-9', state: 'queued' });
  await expect
    .poll(async () => valueOf(await scrape(), 'kubewright_blocked_hosts'), { timeout: 20_000, interval: 500 })
    .toBe(2);
  const after = await scrape();
  expect(valueOf(after, 'kubewright_operations', { state: 'blocked' })).toBe(1);
  expect(valueOf(after, 'kubewright_clusters', { state: 'blocked' })).toBe(1);
  expect(valueOf(after, 'kubewright_queue_depth')).toBe(1);
  expect(valueOf(after, 'kubewright_journal_links')).toBeGreaterThan(valueOf(before, 'kubewright_journal_links'));
  expect(valueOf(after, 'kubewright_database_bytes')).toBeGreaterThan(10_000);
});

it('the page of the metrics names only what there is, with rules that can be read', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8');
  const [, rules] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = '']) => parse(text) as Rules);
  expect(rules!.groups[0]!.rules.length).toBeGreaterThan(8);
  await scrape();
  const own = new Set((await scrape()).map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')));
  const ofWorker = [...page.matchAll(/^\| `(kubewright_\w+)`.*\| worker/gm)].map(([, name = '']) => name);
  // kubewright_event_loop_delay_seconds is every process's: this test has no process of its own.
  const known = new Set([...own, ...ofWorker, 'kubewright_event_loop_delay_seconds']);
  for (const { alert, expr, labels, annotations } of rules!.groups[0]!.rules) {
    expect(alert).toMatch(/^Kubewright\w+$/);
    expect(labels['severity']).toMatch(/^(critical|warning)$/);
    expect(Object.keys(annotations)).toEqual(['summary', 'action']);
    for (const [name] of expr.matchAll(/kubewright_\w+/g)) expect(known).toContain(name.replace(/_bucket$/, ''));
  }
});

interface Rules {
  groups: {
    rules: { alert: string; expr: string; labels: Record<string, string>; annotations: Record<string, string> }[];
  }[];
}
