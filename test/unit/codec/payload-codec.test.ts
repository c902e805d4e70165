import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { payloadCodec, SEALED_ENCODING } from '../../../codec/payload-codec.ts';
import type { PayloadKey, PayloadKeys } from '../../../store/payload-keys.ts';

const ring = (...ids: number[]): PayloadKeys => {
  const all: PayloadKey[] = ids.map((id) => ({ id: String(id).padStart(6, '0'), key: Buffer.alloc(32, id) }));
  return {
    current: () => Promise.resolve(all.at(-1)!),
    byId: (id) => Promise.resolve(all.find((each) => each.id === id) ?? null),
    add: () => Promise.reject(new Error('not here')),
  };
};
const payload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value)!;
const values = (payloads: Payload[]): unknown[] => payloads.map((each) => defaultPayloadConverter.fromPayload(each));
const textOf = (part: Payload): string =>
  Buffer.concat([...Object.values(part.metadata ?? {}), part.data ?? new Uint8Array()]).toString('latin1');

it('gives every payload back as it was, several at once, in order', async () => {
  const codec = payloadCodec(ring(1));
  const json = fc.oneof(fc.jsonValue(), fc.constant(undefined), fc.uint8Array({ maxLength: 400 }));
  await fc.assert(
    fc.asyncProperty(fc.array(json, { minLength: 1, maxLength: 4 }), async (given) => {
      const before = given.map(payload);
      const sealed = await codec.encode(before);
      const after = await codec.decode(sealed);
      expect(values(after)).toEqual(values(before));
    }),
  );
});

it('shows nothing but the encoding, the id of the key and a digest of the place', async () => {
  const [sealed] = await payloadCodec(ring(1)).encode([payload({ host: 'cp-1', note: 'telling words' })]);
  expect(Object.keys(sealed!.metadata!)).toEqual(['encoding', 'encryption-key-id', 'kubewright-place']);
  expect(textOf(sealed!)).toMatch(new RegExp(`^${SEALED_ENCODING}000001`));
  expect(textOf(sealed!)).not.toMatch(/telling|host|json/);
});

it('compresses data that shrinks, and no other', async () => {
  const codec = payloadCodec(ring(1));
  const plan = { hosts: Array.from({ length: 1000 }, (_, index) => ({ name: `worker-${index}`, state: 'pending' })) };
  const [small] = await codec.encode([payload(plan)]);
  expect(small!.data!.length).toBeLessThan(payload(plan).data!.length / 5);
  const noise = crypto.getRandomValues(new Uint8Array(4096));
  const [large] = await codec.encode([payload(noise)]);
  expect(large!.data!.length).toBeLessThan(4096 + 100);
});

it('two sealings of one value have nothing in common', async () => {
  const codec = payloadCodec(ring(1));
  const [one, two] = await codec.encode([payload('same'), payload('same')]);
  expect(Buffer.from(one!.data!).equals(two!.data!)).toBe(false);
});

it('what was never sealed passes through: histories of an older version', async () => {
  const codec = payloadCodec(ring(1));
  const [sealed] = await codec.encode([payload('new')]);
  expect(values(await codec.decode([payload('old'), sealed!]))).toEqual(['old', 'new']);
});

it('a further key seals, the earlier ones still open', async () => {
  const old = await payloadCodec(ring(1)).encode([payload('before')]);
  const both = payloadCodec(ring(1, 2));
  const fresh = await both.encode([payload('after')]);
  expect(Buffer.from(fresh[0]!.metadata!['encryption-key-id']!).toString()).toBe('000002');
  expect(values(await both.decode([...old, ...fresh]))).toEqual(['before', 'after']);
  await expect(payloadCodec(ring(2)).decode(old)).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' });
});

it('anything altered is refused, whichever byte', async () => {
  const codec = payloadCodec(ring(1));
  const [sealed] = await codec.encode([payload('exactly this')]);
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: sealed!.data!.length - 1 }), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
      const data = Uint8Array.from(sealed!.data!);
      data[at]! ^= flip;
      await expect(codec.decode([{ ...sealed!, data }])).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' });
    }),
  );
  for (const data of [new Uint8Array(), sealed!.data!.subarray(0, 20), sealed!.data!.subarray(0, -1)]) {
    await expect(codec.decode([{ ...sealed!, data }])).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' });
  }
});
