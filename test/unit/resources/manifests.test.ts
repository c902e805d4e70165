import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { converge } from '../../../activities/resources/engine.ts';
import { manifests } from '../../../activities/resources/manifests.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
  writeFileSync(host.path('kubeconfig'), '');
});
afterEach(() => host.dispose());

const OBJECTS = [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'coredns', namespace: 'kube-system' }, data: { a: "it's" } },
  { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'coredns', namespace: 'kube-system' } },
];
const run = (wait?: { timeoutMs: number }) =>
  converge({
    remote: host,
    resources: [manifests('dns', OBJECTS, { kubeconfig: host.path('kubeconfig'), ...(wait ? { wait } : {}) })],
    facts: FACTS,
    mode: 'apply',
    phase: 'test',
    signal: new AbortController().signal,
  });

/** kubectl: what `diff` says, and what `apply` does. */
const kubectl = (diff: string, apply = `cat >"${'$'}{LOG}.applied"`, rollout = 'echo "rollout $*" >>"$LOG"') =>
  host.program(
    'kubectl',
    `case "$*" in
  *' diff '*) cat >/dev/null; ${diff} ;;
  *' apply '*|apply*) echo "$*" >>"$LOG"; ${apply} ;;
  *rollout*) ${rollout} ;;
  *) echo "$*" ;;
esac`,
  );

it.skipIf(!RUNS_HERE)('asks the server what would change, and applies the whole list on standard input', async () => {
  kubectl(
    'echo "Only in /tmp/MERGED-1: v1.ConfigMap.kube-system.coredns"; echo "Files /tmp/LIVE-1/apps.v1.Deployment.kube-system.coredns and /tmp/MERGED-1/apps.v1.Deployment.kube-system.coredns differ"; exit 1',
  );
  const { changes } = await run({ timeoutMs: 5_000 });
  expect(changes.map(({ action, detail }) => `${action} ${detail}`)).toEqual([
    'create v1.ConfigMap.kube-system.coredns',
    'update apps.v1.Deployment.kube-system.coredns',
  ]);
  expect(JSON.parse(readFileSync(host.path('log.applied'), 'utf8'))).toMatchObject({ kind: 'List', items: OBJECTS });
  const said = readFileSync(host.path('log'), 'utf8');
  expect(said).toContain('--server-side --force-conflicts --field-manager=kubewright');
  expect(said).toContain('-n kube-system rollout status deployment/coredns --timeout=5s');
});

it.skipIf(!RUNS_HERE)('waits for an API server that is starting, and applies nothing that is there', async () => {
  kubectl(
    'echo tried >>"$LOG"; [ "$(grep -c tried "$LOG")" -gt 2 ] || { echo "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?" >&2; exit 1; }',
  );
  expect((await run()).changes).toEqual([]);
  expect(readFileSync(host.path('log'), 'utf8')).toBe('tried\ntried\ntried\n');
});

it.skipIf(!RUNS_HERE)('waits while an API server that has just started does not know our own rights', async () => {
  const forbidden = 'Error from server (Forbidden): configmaps is forbidden: User x cannot get resource configmaps';
  kubectl(`echo tried >>"$LOG"; [ "$(grep -c tried "$LOG")" -gt 1 ] || { echo "${forbidden}" >&2; exit 2; }`);
  expect((await run()).changes).toEqual([]);
  expect(readFileSync(host.path('log'), 'utf8')).toBe('tried\ntried\n');
});

it.skipIf(!RUNS_HERE)('changes nothing when the server says so, and everything when it cannot be asked', async () => {
  kubectl('exit 0');
  expect((await run()).changes).toEqual([]);
  kubectl('echo "no such flag" >&2; exit 1');
  expect((await run()).changes).toMatchObject([
    { action: 'create', detail: 'ConfigMap kube-system/coredns, Deployment kube-system/coredns' },
  ]);
});

it.skipIf(!RUNS_HERE)('tries again while the API server comes up, and tells a refusal at once', async () => {
  kubectl(
    'exit 2',
    `n=$(wc -l <"$LOG"); [ "$n" -ge 2 ] || { echo "The connection to the server was refused: connection refused" >&2; exit 1; }`,
  );
  expect((await run()).changes).toHaveLength(1);
  kubectl('exit 2', 'echo "The Deployment is invalid: spec.replicas: must be positive" >&2; exit 1');
  await expect(run()).rejects.toMatchObject({
    code: 'MANIFEST_REFUSED',
    evidence: 'The Deployment is invalid: spec.replicas: must be positive',
  });
});

it.skipIf(!RUNS_HERE)('shows the pods of a workload that does not become ready', async () => {
  kubectl('exit 2', ':', 'echo "timed out" >&2; exit 1');
  await expect(run({ timeoutMs: 1_000 })).rejects.toMatchObject({
    code: 'WORKLOAD_NOT_READY',
    evidence: expect.stringContaining('get pods'),
  });
});

it.skipIf(!RUNS_HERE)('takes no secrets', () => {
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } };
  expect(() => manifests('a', [secret])).toThrow('journal');
});
