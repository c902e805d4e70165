import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { manifests, parseDiff } from '../../../activities/resources/manifests.ts';
import { Unknown } from '../../../activities/resources/unknown.ts';
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
    retries: { totalMs: 1_500, pauseMs: 10 },
  });

const NO_NAMESPACE = `echo 'Error from server (NotFound): namespaces "kube-system" not found' >&2`;

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

it.skipIf(!RUNS_HERE)('waits while an API server that has just started does not have our roles yet', async () => {
  const forbidden = 'Error from server (Forbidden): configmaps is forbidden: User x cannot get resource configmaps';
  kubectl(`echo tried >>"$LOG"; [ "$(grep -c tried "$LOG")" -gt 1 ] || { echo "${forbidden}" >&2; exit 2; }`);
  expect((await run()).changes).toEqual([]);
  expect(readFileSync(host.path('log'), 'utf8')).toBe('tried\ntried\n');
});

it.skipIf(!RUNS_HERE)(
  'changes nothing when the server reports no difference, and everything when its kinds do not exist yet',
  async () => {
    kubectl('exit 0');
    expect((await run()).changes).toEqual([]);
    kubectl(`${NO_NAMESPACE}; exit 1`);
    expect((await run()).changes).toMatchObject([
      { action: 'create', detail: 'ConfigMap kube-system/coredns, Deployment kube-system/coredns' },
    ]);
  },
);

it.skipIf(!RUNS_HERE)('takes away what a kubectl leaves that is killed while it compares', async () => {
  kubectl(
    'mkdir "${TMPDIR:-/tmp}/LIVE-kubewright-unit"; echo "${TMPDIR:-/tmp}" >>"$LOG"; [ "$(wc -l <"$LOG")" -gt 1 ] || kill -9 $$',
  );
  expect((await run()).changes).toEqual([]);
  const folders = readFileSync(host.path('log'), 'utf8').trim().split('\n');
  expect(folders).toHaveLength(2);
  for (const folder of folders) {
    expect(folder.startsWith(host.path('run/'))).toBe(true);
    expect(existsSync(folder)).toBe(false);
  }
});

it.skipIf(!RUNS_HERE)('applies nothing when the server cannot answer, and reports its output', async () => {
  kubectl('echo "error: unknown flag: --server-side" >&2; exit 1');
  await expect(run()).rejects.toMatchObject({
    code: 'STATE_UNKNOWN',
    message: expect.stringContaining('manifests:dns'),
    evidence: 'error: unknown flag: --server-side',
  });
  expect(existsSync(host.path('log.applied'))).toBe(false);
});

const SAME = 'code 0\n';
const UNKNOWN: Readonly<Record<string, string>> = {
  'a server that is starting':
    'The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?\ncode 1\n',
  'a server that closes the connection': 'error: Get "https://10.0.0.1:6443/api": EOF\ncode 1\n',
  'a server with too much to do':
    'Error from server (TooManyRequests): the server has received too many requests and has asked us to try again later\ncode 1\n',
  'a server without its etcd': 'Error from server: etcdserver: leader changed\ncode 1\n',
  'a server that is not ready':
    'Error from server (ServiceUnavailable): the server is currently unable to handle the request\ncode 1\n',
  'a server that does not know us for a moment': 'error: You must be logged in to the server (Unauthorized)\ncode 1\n',
  'a server that has not loaded its roles':
    'Error from server (Forbidden): configmaps "coredns" is forbidden: User "kubewright-admin" cannot get resource "configmaps": RBAC: clusterrole.rbac.authorization.k8s.io "cluster-admin" not found\ncode 1\n',
  'a server that has not loaded its webhooks':
    'Error from server (InternalError): Internal error occurred: failed calling webhook "x": connection refused\ncode 1\n',
  'a server whose schema cannot be read':
    'error: error validating "STDIN": error validating data: failed to download openapi: the server could not find the requested resource\ncode 1\n',
  'no answer in time': 'code 124\n',
  'a kubectl that was killed': 'code 137\n',
  'a kubectl that cannot be run': "timeout: failed to run command 'kubectl': Text file busy\ncode 126\n",
  'a timeout of one request': 'error: Get "https://10.0.0.1:6443/api?timeout=10s": context deadline exceeded\ncode 1\n',
  'half an answer': 'Only in /tmp/MERGED-1: v1.Config',
  'half an answer before the code': 'error: something that\n',
  'an exit code without a word': 'code 1\n',
};
it.each(Object.entries(UNKNOWN))('%s is neither there nor not there', (_what, output) => {
  expect(() => parseDiff(output)).toThrow(Unknown);
});

it.each(
  Object.entries({
    'nothing to change': [SAME, true],
    'something to change': ['Only in /tmp/MERGED-1: v1.ConfigMap.kube-system.coredns\ncode 1\n', true],
    'no kubectl or kubeconfig yet': ['absent\n', false],
    'a namespace that is not there': ['Error from server (NotFound): namespaces "apps" not found\ncode 1\n', false],
    'a kind that is not there': [
      'error: resource mapping not found for name "x": no matches for kind "Y" in version "z/v1"\ncode 1\n',
      false,
    ],
    'an object that a policy refuses': [
      'Error from server (Forbidden): deployments.apps "x" is forbidden: ValidatingAdmissionPolicy "p" denied request: no\ncode 1\n',
      false,
    ],
    'an object that is refused': [
      'The Deployment "coredns" is invalid: spec.replicas: must be positive\ncode 1\n',
      false,
    ],
  } as Record<string, [string, boolean]>),
)('%s is an answer', (_what, [output, compared]) => {
  expect(parseDiff(output).compared).toBe(compared);
});

it.skipIf(!RUNS_HERE)('retries while the API server starts, and throws a refusal at once', async () => {
  kubectl(
    `${NO_NAMESPACE}; exit 1`,
    `n=$(wc -l <"$LOG"); [ "$n" -ge 2 ] || { echo "The connection to the server was refused: connection refused" >&2; exit 1; }`,
  );
  expect((await run()).changes).toHaveLength(1);
  kubectl(`${NO_NAMESPACE}; exit 1`, 'echo "The Deployment is invalid: spec.replicas: must be positive" >&2; exit 1');
  await expect(run()).rejects.toMatchObject({
    code: 'MANIFEST_REFUSED',
    evidence: 'The Deployment is invalid: spec.replicas: must be positive',
  });
});

it.skipIf(!RUNS_HERE)('shows the pods of a workload that does not become ready', async () => {
  kubectl(`${NO_NAMESPACE}; exit 1`, ':', 'echo "timed out" >&2; exit 1');
  await expect(run({ timeoutMs: 1_000 })).rejects.toMatchObject({
    code: 'WORKLOAD_NOT_READY',
    evidence: expect.stringContaining('get pods'),
  });
});

it.skipIf(!RUNS_HERE)('takes no secrets', () => {
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } };
  expect(() => manifests('a', [secret])).toThrow('journal');
});
