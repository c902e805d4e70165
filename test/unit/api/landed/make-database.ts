import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ERRORS, type ErrorCode } from '../../../../contracts/errors.ts';
import { HEALTH_CODES, type HealthCode } from '../../../../contracts/health.ts';
import {
  DECISION_ACTIONS,
  OPERATION_STATES,
  type OperationStatus,
  TASK_STATES,
  type TaskStatus,
} from '../../../../contracts/operation.ts';
import { parseClusterSpec } from '../../../../contracts/spec-parse.ts';
import { openStore } from '../../../../store/index.ts';
import type { RecordBegun, RecordEnded } from '../../../../store/journal-record.ts';
import { parseKeyring } from '../../../../store/keyring.ts';

/**
 * Writes database.sql beside this file, with the code of the tree that it is in: a cluster `demo` whose operations, tasks and
 * records have each state, kind, code and member that this version knows. To be run in a tree of the landed version, into
 * which it is copied: `node --experimental-strip-types test/unit/api/landed/make-database.ts`.
 */
const AT = '2026-11-21T12:00:00.000Z';
const SHA = 'a'.repeat(64);

const codes = Object.keys(ERRORS) as ErrorCode[];
const errorOf = (code: ErrorCode) => ({
  ...{ code, message: ERRORS[code].title, host: 'cp-1', phase: 'prepare', blames: ['w-1'], evidence: 'a line' },
  errors: [{ path: 'body.spec', message: 'is wrong' }],
});

const tasks: TaskStatus[] = [
  ...codes.map((code, index) => ({
    ...{ phase: `phase-${index}`, host: 'cp-1', state: 'blocked' as const, attempt: 1, decision: 0, startedAt: AT },
    ...{ error: errorOf(code), policy: 'the host is a control plane' },
  })),
  ...TASK_STATES.map((state) => ({
    ...{ phase: `in-${state}`, host: 'w-1', state, attempt: 2, decision: 1, startedAt: AT, endedAt: AT },
    ...{ changeCount: 3, restarts: 1, commandMs: 12.5 },
  })),
];

const decisions = [...DECISION_ACTIONS, ...(['amend', 'pause', 'resume', 'cancel'] as const)].map((action) => ({
  ...{ at: AT, by: 'admin', byId: 'token-1', action, host: 'w-1', phase: 'prepare', mode: 'drain' as const },
  ...{ reason: 'because', requestId: 'request-1' },
}));

const quarantine = [
  { host: 'w-1', since: AT, by: 'policy', why: 'it does not answer', phase: 'prepare', operationId: 'op-00' },
];

const health = {
  ...{ state: 'degraded' as const, at: AT, operationId: 'op-00', reasonCount: 200 },
  reasons: (Object.keys(HEALTH_CODES) as HealthCode[])
    .slice(0, 50)
    .map((code) => ({ code, subject: 'node w-1', reason: 'it is so', evidence: 'seen', since: AT })),
};

const folder = mkdtempSync(join(tmpdir(), 'kubewright-landed-'));
const store = await openStore({ dataDir: folder, keyring: parseKeyring(Buffer.alloc(32, 7).toString('base64')) });
const specRef = await store.specs.put(
  parseClusterSpec(
    JSON.stringify({
      ...{ apiVersion: 'kubewright.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'demo' } },
      spec: {
        hosts: [
          { name: 'cp-1', address: '192.0.2.1', roles: ['control-plane', 'etcd', 'registry'] },
          { name: 'w-1', address: '192.0.2.2', roles: ['worker'] },
        ],
        ssh: { credential: { keyFile: '/root/key' } },
      },
    }),
    'application/json',
  ),
);
const bare: OperationStatus = {
  ...{ operationId: 'op-00', cluster: 'demo', kind: 'build', mode: 'apply', state: 'queued', actor: 'admin', specRef },
  ...{ tasks: [], blockedHosts: [], quarantinedHosts: [] },
};
const whole: OperationStatus = {
  ...bare,
  ...{ actorId: 'token-1', queuedAt: AT, startedAt: AT, endedAt: AT, phases: ['prepare'], hosts: ['cp-1'], tasks },
  ...{ blockedHosts: ['cp-1'], quarantinedHosts: ['w-1'], quarantine, version: 7, decisions, health },
  ...{ error: errorOf('INTERNAL'), pause: { by: 'admin', at: AT, mode: 'drain', reason: 'lunch' } },
};
await store.projections.saveOperation(bare);
let count = 1;
const operationId = () => `op-${String(count++).padStart(2, '0')}`;
for (const kind of ['build', 'check', 'heal'] as const) {
  const mode = kind === 'check' ? 'check' : 'apply';
  await store.projections.saveOperation({ ...bare, kind, mode, operationId: operationId(), state: 'succeeded' });
}
for (const state of OPERATION_STATES) {
  await store.projections.saveOperation({ ...whole, tasks: tasks.slice(-1), operationId: operationId(), state });
}
// The one that GET /clusters/demo shows.
await store.projections.saveOperation({ ...whole, operationId: operationId(), state: 'blocked' });

const begin = (kind: RecordBegun['kind'], more: Partial<RecordBegun> = {}): RecordBegun => ({
  ...{ kind, actor: 'admin', actorId: 'token-1', requestId: 'request-1', cluster: 'demo', operation: 'op-01' },
  ...{ namespace: 'kube', workflowId: 'cluster/demo/op/op-01', runId: 'run', activityId: 'etcd:cp-1:0', attempt: 1 },
  ...{ phase: 'etcd', host: 'cp-1', hostKeyFingerprint: 'SHA256:x', seq: 1, argv: ['etcdctl', 'member', 'list'] },
  ...{ stdinSha256: SHA, stdinBytes: 5_000_000_000, startedAt: new Date(AT) },
  changes: (['create', 'update', 'remove', 'restart', 'start', 'run', 'keep'] as const).map((action) => ({
    ...{ resource: 'file:/etc/hosts', action, detail: 'content' },
  })),
  ...more,
});
const end = (more: Partial<RecordEnded> = {}): RecordEnded => ({
  ...{ endedAt: new Date(AT), code: 0, signal: null, stdout: 'ok\n', stderr: 'hm\n', stdoutBytes: 3, stderrBytes: 3 },
  ...{ truncated: false, error: null, ...more },
});
const kinds = ['exec', 'script', 'upload', 'stop', 'request', 'decision', 'issue', 'operation', 'task'] as const;
for (const kind of kinds) await store.journal.record(begin(kind), end({ operation: 'op-01' }));
for (const ended of [
  { code: 1, error: 'COMMAND_FAILED' },
  { code: null, signal: 'SIGKILL', truncated: true },
  { code: null, error: 'SSH_UNREACHABLE', delivery: 'not-run' as const },
  { code: null, error: 'SSH_LOST', delivery: 'unknown' as const },
]) {
  await store.journal.record(begin('exec'), end(ended));
}
await store.journal.record(begin('request'), end({ code: 409, error: 'CONFLICT', stdout: '' }));
await store.journal.record(begin('request', { cluster: '', operation: '', host: '', phase: '' }), end({ code: 401 }));
await store.journal.begin(begin('exec', { seq: 2, changes: [], stdinSha256: null, actorId: undefined }));
await store.tokens.create('admin', 'admin');
await store.close();

const raw = new DatabaseSync(join(folder, 'kubewright.db'));
const quoted = (value: unknown): string => {
  if (value === null) return 'NULL';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString('hex')}'`;
  return `'${(value as string).replaceAll("'", "''")}'`;
};
const lines: string[] = [];
const objects = raw.prepare(
  `select type, name, sql from sqlite_master where sql is not null and name not like 'sqlite_%'`,
);
for (const { type, name, sql } of objects.all() as { type: string; name: string; sql: string }[]) {
  lines.push(`${sql.replaceAll(/\s*\n\s*/g, ' ')};`);
  if (type !== 'table') continue;
  for (const row of raw.prepare(`select * from "${name}"`).all()) {
    const names = Object.keys(row).map((each) => `"${each}"`);
    lines.push(`insert into "${name}" (${names.join(', ')}) values (${Object.values(row).map(quoted).join(', ')});`);
  }
}
raw.close();
rmSync(folder, { recursive: true, force: true });
writeFileSync(join(import.meta.dirname, 'database.sql'), `${lines.join('\n')}\n`);
