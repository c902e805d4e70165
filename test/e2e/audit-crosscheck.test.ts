import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JournalEntry } from '../../contracts/record.ts';
import { execInHost } from '../../lab/faults.ts';
import { openStore, type Store } from '../../store/index.ts';
import { openKeyring } from '../../store/keyring.ts';
import { askWitness, EMPTY_SHA256, installWitness, programOf, type Witnessed } from './sshd-witness.ts';
import { type Bench, freshBench } from './support.ts';

/** The journal against what sshd on the hosts wrote down by itself: nothing ran that is not in it, nothing is in it that did not run. */

let bench: Bench;
/** The service's own database. */
let store: Store;
const NAME = 'kwea';

beforeAll(async () => {
  bench = await freshBench(NAME, 2);
  await installWitness(bench.lab);
  const dataDir = join(bench.folder, 'data');
  store = await openStore({ dataDir, keyring: openKeyring(dataDir) });
});
afterAll(async () => {
  await store?.close();
  await bench?.end();
});

/** What ran on a host, as either side reports it. Null: not reported. */
interface Ran {
  host: string;
  argv: readonly string[];
  stdinSha256: string | null;
  code: number | null;
  /** On the journal's side. */
  record?: JournalEntry;
}

function fromHost({ host, line, stdinSha256, code }: Witnessed): Ran {
  const argv = programOf(line);
  // The journal says path, mode and owner of an upload; the rest of its command line is always the same script.
  const upload = argv[0] === 'sh' && argv[3] === 'upload';
  return { host, argv: upload ? ['upload', argv[4]!, argv[7]!, argv[8]!] : argv, stdinSha256, code };
}

/** Of a command that was stopped, the journal may know no exit code, and the host may not have got all of the input. */
const fromJournal = (record: JournalEntry): Ran => {
  const { host, argv, stdinSha256, exitCode: code } = record;
  return { host, argv, stdinSha256: code === null ? null : (stdinSha256 ?? EMPTY_SHA256), code, record };
};

/** Takes apart what both sides tell of, and returns what only one does. */
function compare(baselineOf: readonly Ran[], recorded: readonly Ran[]): { unrecorded: Ran[]; unseen: Ran[] } {
  const same = (a: Ran, b: Ran) =>
    a.host === b.host &&
    a.argv.join('\0') === b.argv.join('\0') &&
    (b.code === null || (a.code === b.code && a.stdinSha256 === b.stdinSha256));
  const left = [...baselineOf];
  // First those that say more: what was stopped is content with what remains, and what is unknown comes last.
  const vague = ({ code, record }: Ran) => Number(code === null) + Number(record?.result === 'unknown');
  const exactFirst = [...recorded].sort((a, b) => vague(a) - vague(b));
  const unseen = exactFirst.filter((record) => {
    const at = left.findIndex((each) => same(each, record));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return { unrecorded: left, unseen };
}

/** What the journal says that was run on hosts. It also holds requests, decisions and operations. */
async function journalOf(operation: string): Promise<JournalEntry[]> {
  const found = [];
  for (let cursor: string | undefined; ; ) {
    const page = await store.journal.list({ cluster: NAME, operation, limit: 200, cursor });
    found.push(...page.items.filter(({ kind }) => ['exec', 'script', 'upload', 'stop'].includes(kind)));
    if (page.next === null) return found;
    cursor = page.next;
  }
}

const OVER = ['succeeded', 'failed', 'cancelled', 'blocked'];

const command = (name: 'pause' | 'resume', body: object): Promise<unknown> =>
  bench.api.request('POST', `/clusters/${NAME}/${name}`, body);

async function untilPaused(operation: string): Promise<boolean> {
  for (;;) {
    const { state } = await bench.api.operation(NAME, operation);
    if (state === 'paused') return true;
    if (OVER.includes(state)) return false;
    await sleep(100);
  }
}

/** Interrupts the build under these phases, as soon as a command of theirs runs on a host. */
async function interrupt(operation: string, phases: readonly string[]): Promise<void> {
  for (const phase of phases) {
    const running = `/clusters/${NAME}/history?operation=${operation}&phase=${phase}&result=open&limit=1`;
    for (;;) {
      const { items } = await bench.api.request<{ items: unknown[] }>('GET', `${running}&events=false`);
      if (items.length > 0) break;
      if (OVER.includes((await bench.api.operation(NAME, operation)).state)) return;
      await sleep(20);
    }
    await command('pause', { mode: 'interrupt', reason: `while ${phase} runs` });
    if (!(await untilPaused(operation))) return;
    await command('resume', {});
  }
}

/** Cuts the connections of a host under a command that runs there, until one was ended by who came back; at most thrice. */
async function cutOff(operation: string, host: string): Promise<void> {
  for (let cuts = 0; cuts < 3; cuts += 1) {
    for (;;) {
      const records = (await journalOf(operation)).filter((each) => each.host === host);
      if (records.some((each) => each.kind === 'stop' && endedBy(each, records)?.error === 'SSH_CONNECTION_LOST'))
        return;
      // One that has run for a while, and so goes on for a while.
      const long = (each: JournalEntry) => each.result === 'open' && Date.parse(each.startedAt) < Date.now() - 300;
      if (records.some((each) => each.kind !== 'stop' && long(each))) break;
      if (OVER.includes((await bench.api.operation(NAME, operation)).state)) return;
      await sleep(50);
    }
    await execInHost(bench.lab, host, ['pkill', '-KILL', '-f', '^sshd(-session)?: root']);
    const cutAt = new Date().toISOString();
    const running = (each: JournalEntry) => each.host === host && each.startedAt < cutAt && each.result === 'open';
    while ((await journalOf(operation)).some(running)) await sleep(100);
  }
}

const SAME = ['workflowId', 'runId', 'activityId', 'attempt', 'seq', 'phase', 'host'] as const;

/** The command that a stop ended. */
const endedBy = (stop: JournalEntry, records: readonly JournalEntry[]): JournalEntry | undefined =>
  records.find((each) => each.kind !== 'stop' && SAME.every((name) => each[name] === stop[name]));

it('the journal and sshd list the same commands, also for a build that is interrupted, resumed and cut off', async () => {
  const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', bench.lab.spec);
  await interrupt(operation, ['prepare', 'binaries', 'etcd']);
  await cutOff(operation, 'worker-1');
  await interrupt(operation, ['nodes']);
  expect((await bench.api.follow(NAME, operation)).state).toBe('succeeded');

  const records = await journalOf(operation);
  // Each says what it ended.
  const ended = records.filter(({ kind }) => kind === 'stop').map((stop) => endedBy(stop, records)?.error);
  expect(ended).toEqual(expect.arrayContaining(['COMMAND_ABORTED', 'SSH_CONNECTION_LOST']));
  expect(ended).not.toContain(undefined);
  expect(records.filter(({ result }) => result === 'open')).toEqual([]);
  const recorded = records.filter(({ result }) => result !== 'not-run').map(fromJournal);
  // Sent as its connection was cut: it may have run or not.
  const perhaps = records.filter(({ result }) => result === 'unknown');

  const baselineOf: Ran[] = [];
  for (const { name } of bench.lab.hosts) {
    const { commands, log } = await askWitness(bench.lab, name);
    // sshd's log counts as many sessions as the wrapper saw: none went past it. No shell, no sftp.
    const sessions = log.filter((line) => line.startsWith('Starting session:'));
    expect(sessions.filter((line) => line.includes('forced-command'))).toHaveLength(commands.length);
    expect(sessions.filter((line) => !line.includes('forced-command'))).toEqual([]);
    expect(log.filter((line) => /sftp/i.test(line))).toEqual([]);
    expect(commands.filter(({ line }) => line === '' || /^\S*sftp/.test(line))).toEqual([]);
    baselineOf.push(...commands.map(fromHost));
  }
  expect(baselineOf.length).toBeGreaterThan(50);
  const { unrecorded, unseen } = compare(baselineOf, recorded);
  expect(unrecorded, 'ran on a host and is not in the journal').toEqual([]);
  const sure = unseen.filter(({ record }) => !perhaps.includes(record!));
  expect(sure, 'is in the journal and ran on no host').toEqual([]);
});
