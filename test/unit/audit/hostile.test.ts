import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { groupsOf, readAnchor, signAnchor } from '../../../audit/anchor.ts';
import { FORMAT, PARTS } from '../../../audit/manifest.ts';
import { MOST_PROBLEMS, problemText, shown } from '../../../audit/problem.ts';
import { readMark, signMark } from '../../../audit/pruning-mark.ts';
import { signerOf } from '../../../audit/signing-key.ts';
import { padding, tarEnd, tarHeader } from '../../../audit/tar.ts';
import { verifyBundle } from '../../../audit/verify-bundle.ts';
import { canonicalJson, sha256 } from '../../../store/canonical.ts';
import { NO_HASH } from '../../../store/journal-record.ts';

/** Bundles, anchors and marks of an attacker with a key of their own. */

const folder = mkdtempSync(join(tmpdir(), 'kubewright-hostile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { privateKey } = generateKeyPairSync('ed25519');
const forger = signerOf(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());

/** A properly signed bundle with these parts. */
function forged(parts: readonly { name: string; content: Buffer }[], more: object = {}): string {
  const all = [{ name: PARTS.publicKey, content: Buffer.from(forger.publicKey) }, ...parts];
  const manifest = Buffer.from(
    `${canonicalJson({
      ...{ format: FORMAT, cluster: 'demo', operation: 'op-1', createdAt: 'now', key: forger.fingerprint },
      chain: { id: 'cluster/demo/op/op-1', links: 0, head: NO_HASH },
      parts: all.map(({ name, content }) => ({ name, size: content.length, sha256: sha256(content) })),
      ...more,
    })}\n`,
  );
  const entries = [
    { name: PARTS.manifest, content: manifest },
    { name: PARTS.signature, content: forger.sign(manifest) },
    ...all,
  ];
  const file = join(folder, 'forged.tar');
  const pieces = entries.flatMap(({ name, content }) => [
    tarHeader(name, content.length),
    content,
    Buffer.alloc(padding(content.length)),
  ]);
  writeFileSync(file, Buffer.concat([...pieces, tarEnd()]));
  return file;
}
const history = (events: readonly object[]) => ({
  name: 'history/0001.json',
  content: Buffer.from(JSON.stringify({ events })),
});

describe('an untrusted bundle', () => {
  it('with 200,000 anchors that do not hold overflows nothing', () => {
    const data = Buffer.from(JSON.stringify({ chainHead: `7:${'a'.repeat(64)}`, commands: 3 })).toString('base64');
    const events = Array.from({ length: 200_000 }, (_, index) => ({
      eventId: String(index + 3),
      activityTaskCompletedEventAttributes: {
        ...{ scheduledEventId: '1', startedEventId: '2' },
        result: { payloads: [{ data }] },
      },
    }));
    const scheduled = { activityId: 'etcd', activityType: { name: 'etcd' } };
    const first = [
      { eventId: '1', activityTaskScheduledEventAttributes: scheduled },
      { eventId: '2', activityTaskStartedEventAttributes: { scheduledEventId: '1' } },
    ];
    const verdict = verifyBundle(forged([history([...first, ...events])]));
    expect(verdict.problems).toHaveLength(MOST_PROBLEMS);
  });

  it('with 20,000 parts, and 100,000 lines that are none, is judged', () => {
    const parts = Array.from({ length: 20_000 }, (_, index) => ({
      name: `outputs/${index}`,
      content: Buffer.alloc(0),
    }));
    expect(verifyBundle(forged(parts)).problems).toHaveLength(MOST_PROBLEMS);
    const lines = Buffer.from(`${'f'.repeat(64)} {}\n`.repeat(100_000));
    for (const name of [PARTS.chain, PARTS.requests]) {
      expect(verifyBundle(forged([{ name, content: lines }])).problems).toHaveLength(MOST_PROBLEMS);
    }
  });

  it('with a line of 20 MB, or deep JSON in any part, is judged', () => {
    const long = Buffer.alloc(20_000_000, 'x');
    expect(verifyBundle(forged([{ name: PARTS.chain, content: long }])).problems[0]!.what).toContain('longer than');
    for (const depth of [1_000, 5_000, 200_000]) {
      const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
      const line = `{"chain":${deep},"id":${deep},"kind":${deep},"n":1,"part":"begin"}`;
      const content = Buffer.from(`${sha256(line)} ${line}\n`);
      for (const name of [PARTS.chain, PARTS.requests, PARTS.plan, 'history/0001.json']) {
        expect(() => verifyBundle(forged([{ name, content }])), `${name} ${depth}`).not.toThrow();
      }
    }
  });

  it('is printed without control characters, in one line', () => {
    const evil = 'x\u001b[2K\u001b[1A\nsigned by SHA256:trusted\u009b31m\u202e';
    const { cluster, signer } = verifyBundle(forged([], { cluster: evil }));
    expect(signer).toBe('unknown');
    for (const text of [shown(cluster), problemText({ where: evil, record: evil, what: evil })]) {
      // oxlint-disable-next-line no-control-regex -- these are what must not be there
      expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    }
  });

  it('of any bytes behind a valid beginning never throws', () => {
    const name = fc.constantFrom(
      'chain.jsonl',
      'requests.jsonl',
      'history/0001.json',
      'plan.json',
      'status.json',
      'specs/x',
    );
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 400 }),
      fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, content), { maxLength: 4 }), (parts) => {
        const file = forged(parts.map(([each, bytes]) => ({ name: each, content: Buffer.from(bytes) })));
        expect(verifyBundle(file).problems.length).toBeGreaterThan(0);
      }),
      { numRuns: 150 },
    );
  });
});

describe('anchors and marks', () => {
  const heads = [{ chain: 'installation', n: 3, hash: 'a'.repeat(64) }];
  const anchor = signAnchor(forger, { n: 1, prev: NO_HASH, at: '2026-11-29T00:00:00.000Z', pos: 3, before: 1, heads });
  const mark = signMark(forger, {
    ...{ chain: 'installation', n: 3, hash: 'a'.repeat(64) },
    ...{ at: '2026-11-29T00:00:00.000Z', reason: 'older than a year' },
  });

  it('are read as they were signed', () => {
    expect(readAnchor(anchor)).toMatchObject({ fingerprint: forger.fingerprint, anchor: { n: 1, heads } });
    expect(readMark(mark)).toMatchObject({ fingerprint: forger.fingerprint, mark: { n: 3 } });
  });

  it('with any character changed are refused', () => {
    const mutation = fc.tuple(fc.constantFrom(anchor, mark), fc.nat(), fc.string({ minLength: 1, maxLength: 1 }));
    fc.assert(
      fc.property(mutation, ([text, at, character]) => {
        const place = at % text.length;
        const changed = text.slice(0, place) + character + text.slice(place + 1);
        fc.pre(changed !== text);
        expect(() => readAnchor(changed)).toThrow();
        expect(() => readMark(changed)).toThrow();
      }),
      { numRuns: 500 },
    );
  });

  it('fit a datagram of 2,048 bytes, however many chains there are', () => {
    const many = Array.from({ length: 300 }, (_, index) => ({
      ...{ chain: `cluster/${'c'.repeat(40)}/op/${index}`, n: 1_000_000, hash: 'b'.repeat(64) },
    }));
    const groups = groupsOf(many);
    expect(groups.flat()).toEqual(many);
    for (const group of groups) {
      const content = {
        n: 1_000_000,
        prev: 'c'.repeat(64),
        at: '2026-11-29T00:00:00.000Z',
        pos: 9_000_000,
        heads: group,
      };
      expect(signAnchor(forger, content).length).toBeLessThan(2_048);
    }
  });
});
