import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { quote } from '../../../activities/host/quote.ts';
import { runBatch } from '../../../activities/resources/batch.ts';
import fileKind, { CANDIDATE, file } from '../../../activities/resources/file.ts';
import { LocalHost, RUNS_HERE } from './support/local-host.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-check-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Put the content in place of the file, as the engine does. */
async function place(content: string, check: readonly string[]): Promise<string> {
  const path = join(folder, 'daemon.conf');
  const { username } = userInfo();
  const resource = file(path, content, { owner: username, group: username, check });
  const payloads = new Map<number, Uint8Array>();
  const fragment = fileKind.fragment?.(
    resource,
    { type: 'absent' } as never,
    {
      quote,
      payload: (text: string | Uint8Array) => {
        payloads.set(0, Buffer.from(text));
        return 0;
      },
    } as never,
  );
  if (!fragment) throw new Error('no fragment');
  const batch = { lane: 'quick' as const, parts: [{ key: 'file:x', fragment }], payloads, ledgerLines: '' };
  await runBatch(new LocalHost(), batch, []);
  return path;
}

test.runIf(RUNS_HERE)('a file with a check is replaced once its program accepts the new content', async () => {
  const path = await place('good\n', ['grep', '-q', 'good', CANDIDATE]);
  expect(readFileSync(path, 'utf8')).toBe('good\n');
  expect(readdirSync(folder)).toContain('daemon.conf');
  expect(readdirSync(folder).filter((name) => name.includes('candidate'))).toEqual([]);
});

test.runIf(RUNS_HERE)(
  'content that its program refuses leaves the old file, and says what the program said',
  async () => {
    writeFileSync(join(folder, 'daemon.conf'), 'old\n');
    const refused = place('bad\n', ['sh', '-c', 'echo "line 1: $(cat "$0")" >&2; exit 3', CANDIDATE]);
    await expect(refused).rejects.toMatchObject({
      code: 'CONFIG_REFUSED',
      evidence: expect.stringContaining('line 1: bad'),
    });
    expect(readFileSync(join(folder, 'daemon.conf'), 'utf8')).toBe('old\n');
    expect(readdirSync(folder).filter((name) => name.includes('candidate'))).toEqual([]);
  },
);
