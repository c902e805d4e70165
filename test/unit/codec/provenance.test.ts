import type { Payload, SerializationContext } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { apiCodec, payloadCodec, workerCodec } from '../../../codec/payload-codec.ts';
import { payloadConverter } from '../../../codec/payload-converter.ts';
import { proofOf } from '../../../contracts/provenance.ts';
import { sealBytes } from '../../../store/sealed.ts';
import { TEST_COMMAND_KEYS, TEST_KEYS, TEST_SIGNER } from '../../support/temporal-codec.ts';

const at = (workflowId: string): SerializationContext => ({ type: 'workflow', namespace: 'kube', workflowId });
const activity = (workflowId: string, activityId: string, isLocal = false): SerializationContext => {
  return { type: 'activity', namespace: 'kube', workflowId, activityId, isLocal };
};
const api = apiCodec(TEST_KEYS, TEST_SIGNER);
const worker = workerCodec(TEST_KEYS, TEST_COMMAND_KEYS);
const people = payloadCodec(TEST_KEYS);
const message = { actor: { name: 'ann' }, requestId: 'r1' };
const plain = () => payloadConverter.toPayload(message)!;

/** What a worker at this place makes of the payload. */
async function seenAt(place: SerializationContext | undefined, payload: Payload) {
  const [opened] = await worker.decode([payload], place);
  const value = payloadConverter.fromPayload<unknown>(opened!);
  return { value, proof: proofOf(value) };
}

describe("a worker's codec", () => {
  it('recognizes what an API sealed for this place, and when', async () => {
    const before = Date.now();
    const [sealed] = await api.encode([plain()], at('cluster/a'));
    const { value, proof } = await seenAt(at('cluster/a'), sealed!);
    expect(value).toEqual(message);
    expect(proof).toEqual({ by: 'api', at: expect.any(Number) });
    expect((proof as { at: number }).at).toBeGreaterThanOrEqual(before);
  });

  it('recognizes what a worker sealed for this place', async () => {
    const [sealed] = await worker.encode([plain()], activity('cluster/a', '7'));
    expect((await seenAt(activity('cluster/a', '7'), sealed!)).proof).toEqual({ by: 'worker' });
  });

  it.each([
    ['another workflow', at('cluster/b')],
    ['an activity of the same workflow', activity('cluster/a', '7')],
    ['nowhere', undefined],
  ])('takes nothing that was sealed for elsewhere: %s', async (_what, place) => {
    const [sealed] = await api.encode([plain()], at('cluster/a'));
    expect((await seenAt(place, sealed!)).proof).toMatchObject({ by: 'none', why: 'sealed for another place' });
  });

  it.each([
    ['another activity', activity('cluster/a', '8')],
    ['a local activity', activity('cluster/a', '7', true)],
    ['an activity of another workflow', activity('cluster/b', '7')],
  ])('binds the input of an activity to it: %s', async (_what, place) => {
    const [sealed] = await worker.encode([plain()], activity('cluster/a', '7'));
    expect((await seenAt(place, sealed!)).proof).toMatchObject({ by: 'none' });
  });

  it('refuses a payload that was not sealed, and reports what it claims to be', async () => {
    const { value, proof } = await seenAt(at('cluster/a'), plain());
    expect(proof).toEqual({ by: 'none', why: 'not sealed' });
    expect(value).toMatchObject(message);
    const forged = { ...plain(), metadata: { ...plain().metadata, 'kubewright-proof': Buffer.from('{"by":"api"}') } };
    expect((await seenAt(at('cluster/a'), forged)).proof).toEqual({ by: 'none', why: 'not sealed' });
  });

  it('does not throw for any foreign input', async () => {
    const [sealed] = await api.encode([plain()], at('cluster/a'));
    const strange: Payload[] = [
      {},
      { metadata: {}, data: new Uint8Array() },
      { metadata: { encoding: Buffer.from('binary/protobuf') }, data: Buffer.from('x') },
      { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{') },
      { ...sealed!, data: sealed!.data!.subarray(0, 20) },
      { ...sealed!, metadata: { ...sealed!.metadata, 'encryption-key-id': Buffer.from('999999') } },
      { ...sealed!, metadata: { ...sealed!.metadata, 'kubewright-place': Buffer.from('x') } },
    ];
    for (const payload of strange) expect((await seenAt(at('cluster/a'), payload)).proof).toMatchObject({ by: 'none' });
  });

  it('takes what /codec/encode sealed nowhere', async () => {
    const [sealed] = await people.encode([plain()]);
    for (const place of [at('cluster/a'), activity('cluster/a', '7')]) {
      expect((await seenAt(place, sealed!)).proof).toMatchObject({ by: 'none', why: 'sealed for another place' });
    }
    expect(payloadConverter.fromPayload((await people.decode([sealed!]))[0]!)).toEqual(message);
  });

  it('distinguishes a signature of an unknown key, or over other data, from one of an API', async () => {
    const place = at('cluster/a');
    const stranger = apiCodec(TEST_KEYS, { ...TEST_SIGNER, fingerprint: `SHA256:${'A'.repeat(43)}` });
    const [unknown] = await stranger.encode([plain()], place);
    expect((await seenAt(place, unknown!)).proof).toEqual({ by: 'worker' });
    const liar = apiCodec(TEST_KEYS, { ...TEST_SIGNER, sign: () => TEST_SIGNER.sign(Buffer.from('something else')) });
    const [wrong] = await liar.encode([plain()], place);
    expect((await seenAt(place, wrong!)).proof).toEqual({ by: 'worker' });
  });

  it('reads what earlier versions sealed, as such', async () => {
    const { id, key } = await TEST_KEYS.current();
    const inner = Buffer.concat([
      Buffer.of(0),
      (await import('@temporalio/proto')).default.temporal.api.common.v1.Payload.encode(plain()).finish(),
    ]);
    const { nonce, sealed } = sealBytes(key, 'kubewright/temporal-payload/1', inner);
    const metadata = { encoding: Buffer.from('binary/encrypted'), 'encryption-key-id': Buffer.from(id) };
    const { value, proof } = await seenAt(at('cluster/a'), { metadata, data: Buffer.concat([nonce, sealed]) });
    expect(value).toEqual(message);
    expect(proof).toEqual({ by: 'legacy' });
  });
});

it('an API believes only answers that were sealed for the workflow that it asked', async () => {
  const [answer] = await worker.encode([plain()], at('cluster/a'));
  expect(payloadConverter.fromPayload((await api.decode([answer!], at('cluster/a')))[0]!)).toEqual(message);
  await expect(api.decode([answer!], at('cluster/b'))).rejects.toMatchObject({ code: 'TEMPORAL_ANSWER_REFUSED' });
  await expect(api.decode([plain()], at('cluster/a'))).rejects.toMatchObject({ code: 'TEMPORAL_ANSWER_REFUSED' });
});
