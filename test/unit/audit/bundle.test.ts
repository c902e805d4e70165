import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemText } from '../../../audit/problem.ts';
import { openSigner } from '../../../audit/signing-key.ts';
import { BLOCK, padding, readTarHeader, tarHeader } from '../../../audit/tar.ts';
import { verifyBundle } from '../../../audit/verify-bundle.ts';
import { type Sample, sampleOperation } from './sample.ts';

let sample: Sample;
let file: string;
let bytes: Buffer;
let folder: string;
beforeAll(async () => {
  sample = await sampleOperation();
  file = await sample.bundle();
  bytes = readFileSync(file);
  folder = mkdtempSync(join(tmpdir(), 'kubewright-bundle-'));
});
afterAll(async () => {
  await sample.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The verdict on other bytes. */
function judge(changed: Buffer): string[] {
  const path = join(folder, 'changed.tar');
  writeFileSync(path, changed);
  return verifyBundle(path).problems.map(problemText);
}

interface Entry {
  name: string;
  content: Buffer;
}
function entriesOf(archive: Buffer): Entry[] {
  const found: Entry[] = [];
  for (let at = 0; ; ) {
    const header = readTarHeader(archive.subarray(at, at + BLOCK));
    if (!header) return found;
    found.push({ name: header.name, content: archive.subarray(at + BLOCK, at + BLOCK + header.size) });
    at += BLOCK + header.size + padding(header.size);
  }
}
const pack = (entries: readonly Entry[]): Buffer =>
  Buffer.concat([
    ...entries.flatMap(({ name, content }) => [
      tarHeader(name, content.length),
      content,
      Buffer.alloc(padding(content.length)),
    ]),
    Buffer.alloc(2 * BLOCK),
  ]);

describe('a bundle', () => {
  it('that is unchanged passes, with its contents', () => {
    expect(verifyBundle(file)).toMatchObject({
      ...{ problems: [], cluster: 'demo', operation: 'op-1', links: 37, openRecords: 1 },
      ...{ histories: 1, anchors: 4, outputs: 10, fingerprint: sample.signer.fingerprint },
    });
    expect(pack(entriesOf(bytes)).equals(bytes)).toBe(true);
  });

  it('can be checked with the standard tools of its README', () => {
    const out = join(folder, 'by-hand');
    mkdirSync(out);
    execFileSync('tar', ['xf', file, '-C', out]);
    const run = (command: string) => execFileSync('bash', ['-euc', command], { cwd: out, encoding: 'utf8' });
    run('sha256sum -c --quiet --strict SHA256SUMS');
    const verify =
      'openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in manifest.json -sigfile manifest.sig';
    expect(run(verify)).toContain('Verified Successfully');
    const walk = `cut -d' ' -f2- chain.jsonl | while IFS= read -r line; do printf %s "$line" | sha256sum | cut -c1-64; done |
      diff - <(cut -c1-64 chain.jsonl) && echo unchanged`;
    expect(run(walk)).toBe('unchanged\n');
  });

  it('by another key is refused when the key is pinned', () => {
    const own = { publicKey: sample.signer.publicKey };
    expect(verifyBundle(file, own).problems).toEqual([]);
    const other = openSigner(mkdtempSync(join(folder, 'key-')));
    expect(verifyBundle(file, { publicKey: other.publicKey }).problems.map(problemText)[0]).toContain(
      'not the given key',
    );
  });

  it('names the record that was changed, dropped, moved or doubled', () => {
    const entries = entriesOf(bytes);
    const lines = entries
      .find(({ name }) => name === 'chain.jsonl')!
      .content.toString('utf8')
      .trimEnd()
      .split('\n');
    const id = /"id":"([0-9A-Z]{26})"/.exec(lines[9]!)![1]!;
    const withLines = (changed: readonly string[]) =>
      judge(
        pack(
          entries.map((entry) =>
            entry.name === 'chain.jsonl' ? { ...entry, content: Buffer.from(`${changed.join('\n')}\n`) } : entry,
          ),
        ),
      )[0];
    expect(withLines(lines.with(9, lines[9]!.replace('"step"', '"stop"')))).toContain(`record ${id}`);
    expect(withLines(lines.with(9, `${lines[9]!} `))).toContain(`record ${id}`);
    expect(withLines(lines.toSpliced(9, 1))).toContain('link 10 is missing');
    expect(withLines(lines.toSpliced(10, 0, lines[9]!))).toContain(`link 10, record ${id}`);
    expect(withLines(lines.toSpliced(8, 2, lines[9]!, lines[8]!))).toContain(`link 10, record ${id}`);
    expect(withLines(lines.slice(0, -1))).toContain('it ends with link 36; it had 37');

    const output = entries.findIndex(({ name }) => name.startsWith('outputs/'));
    expect(judge(pack(entries.toSpliced(output, 1)))[0]).toMatch(/^outputs\/[0-9a-f]{64}: output of record .*missing/);
    expect(judge(pack(entries.toSpliced(output, 0, entries[output]!)))[0]).toMatch(/^outputs\/.*a second time/);
  });

  it('names the part whose header was changed, also before the manifest is read', () => {
    let at = 0;
    for (const { name, content } of entriesOf(bytes)) {
      for (const place of [0, 108, 136, 156, 300, 511]) {
        const changed = Buffer.from(bytes);
        changed[at + place]! ^= 1;
        expect(judge(changed)[0], `${name}, byte ${place}`).toMatch(new RegExp(`^${name.replace('.', '\\.')}: `));
      }
      at += BLOCK + content.length + padding(content.length);
    }
  });

  it('with a history that is nested without end is refused, not crashed on', () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    const data = Buffer.from(deep).toString('base64');
    const events = [
      {
        eventId: '1',
        activityTaskScheduledEventAttributes: { activityId: 'plan', activityType: { name: 'makePlan' } },
      },
      { eventId: '2', activityTaskStartedEventAttributes: { scheduledEventId: '1' } },
      {
        eventId: '3',
        activityTaskCompletedEventAttributes: {
          ...{ scheduledEventId: '1', startedEventId: '2' },
          result: { payloads: [{ data }] },
        },
      },
    ];
    const entries = entriesOf(bytes);
    for (const json of [JSON.stringify({ events }), deep, `{"events":${deep}}`]) {
      const changed = entries.map((each) =>
        each.name.startsWith('history/') ? { ...each, content: Buffer.from(json) } : each,
      );
      expect(judge(pack(changed)).join('\n')).toMatch(/history\/0001.json: /);
    }
  });

  it('whose chain was rewritten and signed with another key is detected by the workflow history', async () => {
    const forger = await sampleOperation();
    // The same operation as it might have been: other hashes, properly chained and signed.
    forger.histories.splice(0, 1, ...sample.histories);
    expect(verifyBundle(await forger.bundle()).problems.map(problemText)[0]).toMatch(/history\/0001.json: event \d+ /);
    await forger.close();
  });

  it('with any byte changed, part dropped, moved or doubled, or cut anywhere: always found, always named', () => {
    const entries = entriesOf(bytes);
    const index = fc.nat(bytes.length - 1);
    const part = fc.nat(entries.length - 1);
    const mutation = fc.oneof(
      fc.tuple(index, fc.integer({ min: 1, max: 255 })).map(([at, mask]) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= mask;
        return changed;
      }),
      index.map((at) => bytes.subarray(0, at)),
      fc
        .tuple(index, fc.uint8Array({ minLength: 1, maxLength: 600 }))
        .map(([at, more]) => Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)])),
      part.map((at) => pack(entries.toSpliced(at, 1))),
      fc.tuple(part, part).map(([at, to]) => pack(entries.toSpliced(to, 0, entries[at]!))),
      fc
        .tuple(part, part)
        .filter(([one, two]) => one !== two)
        .map(([one, two]) => pack(entries.with(one, entries[two]!).with(two, entries[one]!))),
      lineMutation(entries),
    );
    fc.assert(
      fc.property(mutation, (changed) => {
        fc.pre(!changed.equals(bytes));
        const [first] = judge(changed);
        expect(first).toMatch(/^[^:]+: .+/);
      }),
      { numRuns: 600 },
    );
  }, 300_000);
});

/** Lines of the chain dropped, doubled, swapped, or with a space more where JSON does not mind. */
function lineMutation(entries: readonly Entry[]): fc.Arbitrary<Buffer> {
  const at = entries.findIndex(({ name }) => name === 'chain.jsonl');
  const lines = entries[at]!.content.toString('utf8').trimEnd().split('\n');
  const line = fc.nat(lines.length - 1);
  const changed = fc.oneof(
    line.map((n) => lines.toSpliced(n, 1)),
    fc.tuple(line, line).map(([n, to]) => lines.toSpliced(to, 0, lines[n]!)),
    fc
      .tuple(line, line)
      .filter(([one, two]) => one !== two)
      .map(([one, two]) => lines.with(one, lines[two]!).with(two, lines[one]!)),
    line.map((n) => lines.with(n, lines[n]!.replace('":', '": '))),
  );
  return changed.map((more) =>
    pack(entries.with(at, { ...entries[at]!, content: Buffer.from(`${more.join('\n')}\n`) })),
  );
}
