import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openStore } from '../../store/index.ts';
import { openKeyring } from '../../store/keyring.ts';
import { askWitness, EMPTY_SHA256, installWitness, programOf, type Witnessed } from './sshd-witness.ts';
import { type Bench, freshBench } from './support.ts';

/** The journal against what sshd on the hosts wrote down by itself: nothing ran that is not in it, nothing is in it that did not run. */

let bench: Bench;
const NAME = 'kwea';

beforeAll(async () => {
  bench = await freshBench(NAME, 2);
  await installWitness(bench.lab);
});
afterAll(() => bench?.end());

/** Host, program, input and exit code: what both sides must agree on. */
const entry = (host: string, argv: readonly string[], stdinSha256: string, code: number | null): string =>
  JSON.stringify({ host, argv, stdinSha256, code });

function fromHost({ host, line, stdinSha256, code }: Witnessed): string {
  const argv = programOf(line);
  // The journal says path, mode and owner of an upload; the rest of its command line is always the same script.
  const upload = argv[0] === 'sh' && argv[3] === 'upload';
  return entry(host, upload ? ['upload', argv[4]!, argv[7]!, argv[8]!] : argv, stdinSha256, code);
}

/** The journal itself: the API does not show digests of inputs. */
async function journalOf(operation: string) {
  const data = join(bench.folder, 'data');
  const store = await openStore({ dataDir: data, keyring: openKeyring(data) });
  try {
    const found = [];
    for (let cursor: string | undefined; ; ) {
      const page = await store.journal.list({ cluster: NAME, operation, limit: 200, cursor });
      // What ran on a host: the journal also holds requests, decisions and operations.
      found.push(...page.items.filter(({ kind }) => ['exec', 'script', 'upload'].includes(kind)));
      if (page.next === null) return found;
      cursor = page.next;
    }
  } finally {
    await store.close();
  }
}

it('the journal and sshd tell of the same commands', async () => {
  const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', bench.lab.spec);
  expect((await bench.api.follow(NAME, operation)).state).toBe('succeeded');

  const recorded = (await journalOf(operation)).map(({ host, argv, stdinSha256, exitCode }) =>
    entry(host, argv, stdinSha256 ?? EMPTY_SHA256, exitCode),
  );
  const witnessed: string[] = [];
  for (const { name } of bench.lab.hosts) {
    const { commands, log } = await askWitness(bench.lab, name);
    // sshd's log counts as many sessions as the wrapper saw: none went past it. No shell, no sftp.
    const sessions = log.filter((line) => line.startsWith('Starting session:'));
    expect(sessions.filter((line) => line.includes('forced-command'))).toHaveLength(commands.length);
    expect(sessions.filter((line) => !line.includes('forced-command'))).toEqual([]);
    expect(log.filter((line) => /sftp/i.test(line))).toEqual([]);
    expect(commands.filter(({ line }) => line === '' || /^\S*sftp/.test(line))).toEqual([]);
    witnessed.push(...commands.map(fromHost));
  }
  expect(witnessed.length).toBeGreaterThan(50);
  const surplus = (of: string[], among: string[]) => {
    const left = [...among];
    return of.filter((each) => {
      const at = left.indexOf(each);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
  };
  expect(surplus(witnessed, recorded), 'ran on a host and is not in the journal').toEqual([]);
  expect(surplus(recorded, witnessed), 'is in the journal and ran on no host').toEqual([]);
});
