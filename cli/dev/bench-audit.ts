import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { verifyDatabase } from '../../audit/verify-database.ts';
import { openStore, type Store } from '../../store/index.ts';
import type { JournalQuery } from '../../store/journal.ts';
import type { RecordBegun, RecordEnded } from '../../store/journal-record.ts';
import { parseKeyring } from '../../store/keyring.ts';
import { writeFigures } from './bench-page.ts';

/** `npm run bench:audit`: a journal of a million records, and what reading and writing it costs. */

const HOSTS = 200;
const PHASES = ['preflight', 'prepare', 'chrony', 'etcd', 'runtime', 'master', 'nodes', 'flannel', 'dns', 'verify'];
/** Records written at once while the journal is filled: as many as a thousand hosts would have open. */
const AT_ONCE = 1_000;
const CLUSTER = 'bench';

const program = new Command('bench-audit')
  .option('--records <n>', 'records in the journal', '1000000')
  .option('--url <url>', 'postgres://... of an empty database; default: SQLite in a temporary folder')
  .option('--write', 'put the figures into docs/benchmarks.md');
program.parse();
const options = program.opts<{ records: string; url?: string; write?: true }>();

function begun(number: number): RecordBegun {
  const host = `host-${number % HOSTS}`;
  const phase = PHASES[Math.floor(number / HOSTS) % PHASES.length]!;
  const operation = `op-${Math.floor(number / 10_000)}`;
  return {
    ...{
      kind: number % 20 === 0 ? 'upload' : 'exec',
      actor: number % 50_000 === 0 ? 'rare' : 'admin',
      requestId: 'request',
    },
    ...{ cluster: CLUSTER, operation, namespace: 'kube', workflowId: operation, runId: 'run' },
    ...{ activityId: `${phase}:${host}:0`, attempt: 1, phase, host, hostKeyFingerprint: 'SHA256:bench', seq: 1 },
    ...{ argv: ['sh', '-c', `echo ${number} ${'x'.repeat(200)}`], stdinSha256: null, stdinBytes: 0 },
    ...(number % 10 === 0 ? { changes: [{ resource: 'file:/etc/hosts', action: 'update', detail: 'content' }] } : {}),
    startedAt: new Date(),
  };
}

const ended = (number: number): RecordEnded => ({
  ...{ endedAt: new Date(), code: number % 1_000 === 0 ? 1 : 0, signal: null, stdout: `output ${number % 5_000}\n` },
  ...{ stderr: '', stdoutBytes: 12, stderrBytes: 0, truncated: false, error: null },
});

/** Fills the journal as tasks do: every half by itself, many at once. Returns links per second. */
async function fill(store: Store, records: number): Promise<number> {
  const started = performance.now();
  for (let from = 0; from < records; from += AT_ONCE) {
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, records - from) }, async (_, index) => {
        const open = await store.journal.begin(begun(from + index));
        await store.journal.end(open, ended(from + index));
      }),
    );
    if (from % 100_000 === 0) process.stderr.write(`${from} of ${records}\n`);
  }
  return (records * 2) / ((performance.now() - started) / 1000);
}

/** 200 hosts at once, 20 commands each: nothing may be missing. Returns ms per command as a host sees it. */
async function together(store: Store): Promise<number> {
  const cluster = 'together';
  const started = performance.now();
  await Promise.all(
    Array.from({ length: HOSTS }, async (_, host) => {
      for (let seq = 1; seq <= 20; seq += 1) {
        const open = await store.journal.begin({ ...begun(host), cluster, operation: 'op', seq });
        await store.journal.end(open, ended(seq));
      }
    }),
  );
  const ms = (performance.now() - started) / 20;
  const head = await store.journal.head(`cluster/${cluster}/op/op`);
  if (head?.n !== HOSTS * 20 * 2) throw new Error(`${HOSTS * 40} links were written, and ${head?.n ?? 0} are there`);
  return ms;
}

const QUERIES: Record<string, Partial<JournalQuery>> = {
  'no filter': {},
  'newest first': { order: 'newest' },
  operation: { operation: 'op-50' },
  host: { host: 'host-77' },
  phase: { phase: 'verify' },
  'actor, one of many': { actor: 'rare' },
  'actor, unknown': { actor: 'unknown' },
  'result failed': { result: 'failed' },
  'result open': { result: 'open' },
  kind: { kind: 'upload' },
  'kind, none': { kind: 'decision' },
  'since half time': {},
  'what changed on a host': { host: 'host-80', changed: true },
  'host, phase and failed': { host: 'host-0', phase: 'etcd', result: 'failed' },
  'phase and a rare actor': { phase: 'verify', actor: 'rare' },
};

async function read(store: Store, half: Date): Promise<[string, number][]> {
  const figures: [string, number][] = [];
  for (const [name, query] of Object.entries(QUERIES)) {
    const since = name === 'since half time' ? half : undefined;
    const times: number[] = [];
    for (let run = 0; run < 5; run += 1) {
      const started = performance.now();
      await store.journal.list({ cluster: CLUSTER, limit: 50, ...query, since });
      times.push(performance.now() - started);
    }
    figures.push([name, Math.max(...times)]);
  }
  return figures;
}

const records = Number(options.records);
const folder = mkdtempSync(join(tmpdir(), 'kubewright-bench-audit-'));
try {
  const keyring = parseKeyring(Buffer.alloc(32, 7).toString('base64'));
  const store = await openStore({ url: options.url, dataDir: folder, keyring });
  const began = Date.now();
  const perSecond = await fill(store, records);
  const half = new Date((began + Date.now()) / 2);
  const perCommand = await together(store);
  const figures = await read(store, half);
  const started = performance.now();
  const { problems } = await verifyDatabase(store, join(folder, 'spool'));
  const checkS = (performance.now() - started) / 1000;
  if (problems.length > 0) throw new Error(`the journal is damaged: ${JSON.stringify(problems[0])}`);
  await store.close();
  const engine = options.url === undefined ? 'SQLite' : 'PostgreSQL';
  const slowest = Math.max(...figures.map(([, ms]) => ms));
  const text = [
    `${engine}, ${records.toLocaleString('en')} records, ${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores.`,
    '',
    '| figure | goal | measured |',
    '| --- | --- | --- |',
    `| first page of 50, slowest of ${figures.length} filters, five times each | <= 100 ms | ${slowest.toFixed(1)} ms |`,
    ...figures.map(([name, ms]) => `| ${name} | | ${ms.toFixed(1)} ms |`),
    `| links written, ${AT_ONCE} at once | | ${Math.round(perSecond)} a second |`,
    `| ${HOSTS} hosts at once: both halves of a command, none lost | | ${perCommand.toFixed(0)} ms |`,
    `| \`audit check\` of all of it | | ${checkS.toFixed(0)} s |`,
  ].join('\n');
  process.stdout.write(`${text}\n`);
  if (options.write) writeFigures(`bench:audit ${engine}`, text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
