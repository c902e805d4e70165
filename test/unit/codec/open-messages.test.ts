import { ApplicationFailure, defaultPayloadConverter, type Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { expect, it } from 'vitest';
import { failureConverter } from '../../../codec/failure-converter.ts';
import { openMessage } from '../../../codec/open-messages.ts';
import { payloadCodec } from '../../../codec/payload-codec.ts';
import { TEST_KEYS } from '../../support/temporal-codec.ts';

const { History } = proto.temporal.api.history.v1;
const codec = payloadCodec(TEST_KEYS);

it('opens every payload of a history, memo, summary and failures included, and keeps the rest', async () => {
  const payload = defaultPayloadConverter.toPayload({ words: 'for us alone' });
  const sealedOne = async (one: Payload): Promise<Payload> => (await codec.encode([one]))[0]!;
  const sealed = await sealedOne(payload);
  const cause = ApplicationFailure.create({ message: 'disk is full', type: 'COMMAND_FAILED', details: ['df -h'] });
  const failure = failureConverter.errorToFailure(new Error('the task failed', { cause }), defaultPayloadConverter);
  expect(JSON.stringify(failure.message)).not.toContain('the task failed');
  const details = await codec.encode(failure.cause!.applicationFailureInfo!.details!.payloads!);
  failure.cause!.applicationFailureInfo!.details!.payloads = details;
  for (const each of [failure, failure.cause!]) each.encodedAttributes = await sealedOne(each.encodedAttributes!);

  // Through the wire form, as it comes from the server: with its Longs and prototypes.
  const stored = History.decode(
    History.encode({
      events: [
        {
          eventId: 5 as never,
          userMetadata: { summary: sealed },
          workflowExecutionStartedEventAttributes: {
            memo: { fields: { note: sealed } },
            input: { payloads: [sealed, payload] },
          },
        },
        { eventId: 6 as never, activityTaskFailedEventAttributes: { scheduledEventId: 5 as never, failure } },
      ],
    }).finish(),
  );
  expect(Buffer.from(History.encode(stored).finish()).includes('disk is full')).toBe(false);

  const open = await openMessage(stored, codec);
  const [started, failed] = open.events!;
  const attributes = started!.workflowExecutionStartedEventAttributes!;
  for (const each of [started!.userMetadata!.summary, attributes.memo!.fields!.note, ...attributes.input!.payloads!]) {
    expect(defaultPayloadConverter.fromPayload(each!)).toEqual({ words: 'for us alone' });
  }
  expect(String(started!.eventId)).toBe('5');
  const shown = failed!.activityTaskFailedEventAttributes!.failure!;
  expect(shown.message).toBe('the task failed');
  expect(shown.stackTrace).toContain('open-messages.test.ts');
  expect(shown.cause!.message).toBe('disk is full');
  expect(defaultPayloadConverter.fromPayload(shown.cause!.applicationFailureInfo!.details!.payloads![0]!)).toBe(
    'df -h',
  );
  // Still the message that it was: it has its wire form and its JSON form.
  expect(Buffer.from(History.encode(open).finish()).includes('disk is full')).toBe(true);
});
