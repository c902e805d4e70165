import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ensureService, stopService } from '../../cli/dev/services.ts';
import { requireChecked } from '../support/answers.ts';
import { parseMetrics, valueOf } from '../support/prometheus-text.ts';

/** E6 of the trust issue: the metrics of a whole service, which move with what it does. */

const folder = mkdtempSync(join(tmpdir(), 'kubewright-metrics-'));
let url = '';
let token = '';
const call = (method: string, path: string, body?: object) =>
  fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
const scrape = async (path: string) => {
  const response = await call('GET', path);
  const text = await response.text();
  expect(response.status, text).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain/);
  return parseMetrics(text);
};

beforeAll(async () => {
  const service = await ensureService(folder, () => undefined);
  url = service.url;
  await requireChecked(url);
  token = readFileSync(service.tokenFile, 'utf8').trim();
});
afterAll(async () => {
  await stopService(folder);
  rmSync(folder, { recursive: true, force: true });
});

test('need a token', async () => {
  for (const path of ['/metrics', '/metrics/worker']) expect((await fetch(`${url}${path}`)).status).toBe(401);
});

test('of API and worker, the SDK’s own included, and they move with a build', async () => {
  const before = { api: await scrape('/metrics'), worker: await scrape('/metrics/worker') };
  expect(before.worker.some(({ name }) => name.startsWith('temporal_'))).toBe(true);
  for (const samples of [before.api, before.worker]) {
    expect(samples.some(({ name }) => name === 'kubewright_event_loop_delay_seconds')).toBe(true);
  }
  // A server that says nothing for a while and hangs up: the first task takes longer than a heartbeat, then waits for a decision.
  const silent = createServer((socket) => void setTimeout(() => socket.destroy(), 1_500));
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  const { port } = silent.address() as AddressInfo;
  const keyFile = join(folder, 'key');
  const pem = { type: 'pkcs8', format: 'pem' } as const;
  writeFileSync(keyFile, generateKeyPairSync('ed25519').privateKey.export(pem), { mode: 0o600 });
  const hosts = [{ name: 'cp-1', address: '127.0.0.1', roles: ['control-plane', 'etcd'], ssh: { port } }];
  const spec = { ssh: { credential: { keyFile } }, hosts };
  const made = await call('POST', '/clusters', {
    ...{ apiVersion: 'kubewright.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'metered' }, spec },
  });
  expect(made.status, await made.text()).toBe(202);
  await vi.waitUntil(async () => valueOf(await scrape('/metrics'), 'kubewright_blocked_hosts') === 1, {
    timeout: 120_000,
    interval: 1_000,
  });
  silent.close();
  const after = { api: await scrape('/metrics'), worker: await scrape('/metrics/worker') };
  expect(valueOf(after.api, 'kubewright_operations', { state: 'blocked' })).toBe(1);
  const posts = (samples: typeof before.api) =>
    valueOf(samples, 'kubewright_http_requests_total', { method: 'POST', route: '/clusters', status: '202' });
  expect(posts(after.api) - posts(before.api)).toBe(1);
  expect(valueOf(after.api, 'kubewright_journal_links')).toBeGreaterThan(
    valueOf(before.api, 'kubewright_journal_links'),
  );
  const tasks = (samples: typeof before.api) => valueOf(samples, 'kubewright_tasks_total', { phase: 'preflight' });
  expect(tasks(after.worker)).toBeGreaterThan(tasks(before.worker));
  expect(valueOf(after.worker, 'kubewright_task_duration_seconds_count', { phase: 'preflight' })).toBe(
    tasks(after.worker),
  );
  expect(valueOf(after.worker, 'kubewright_heartbeat_delay_seconds_count')).toBeGreaterThan(0);
  // Neither the cluster nor the host is a label.
  expect(JSON.stringify([after.api, after.worker].flat().map(({ labels }) => labels))).not.toMatch(/metered|cp-1/);
});
