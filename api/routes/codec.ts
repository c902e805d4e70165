import type { Payload } from '@temporalio/common';
import { z } from 'zod';
import { codecPayloads } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { allowTemporalUi } from '../plugins/codec-cors.ts';
import { defineRoutes, responses } from '../route.ts';

/** Holds the token of a browser that Temporal's UI sends here. */
const COOKIE = 'kubewright_codec';
const COOKIE_SECONDS = 8 * 3600;
/** A page of a history in one request; payloads grow by a third in base64. */
const BODY_BYTES = 8 * 1024 * 1024;

type Wire = z.infer<typeof codecPayloads>['payloads'][number];

/**
 * /codec: Temporal's remote codec protocol, so that its UI can show what is sealed to those who may see it. Payloads do
 * not say which cluster they are of: tokens of some clusters only are refused.
 */
export default defineRoutes((api, deps) => {
  const onRequest = allowTemporalUi(deps.temporalUiOrigin);
  const tags = ['codec'];
  const convert = (
    name: 'decode' | 'encode',
    operationId: string,
    summary: string,
    work: (payloads: Payload[]) => Promise<Payload[]>,
  ) => {
    api.post(
      `/codec/${name}`,
      {
        onRequest,
        config: { role: 'operator', cookie: COOKIE, bodyBounds: { textChars: BODY_BYTES, values: 20_000, depth: 8 } },
        bodyLimit: BODY_BYTES,
        schema: { operationId, summary, tags, body: codecPayloads, response: responses({ 200: codecPayloads }) },
      },
      async (request, reply) => {
        void reply.header('cache-control', 'no-store');
        return { payloads: (await work(request.body.payloads.map(fromWire))).map(toWire) };
      },
    );
    // A browser asks first, without its token.
    api.options(
      `/codec/${name}`,
      { onRequest, config: { role: 'public' }, schema: { hide: true } },
      async (_request, reply) => reply.code(204).send(null),
    );
  };
  convert('decode', 'decodePayloads', 'Decrypt payloads of Temporal histories', (payloads) =>
    deps.codec.decode(payloads).catch((error: unknown) => {
      // Payloads that were not sealed here are a client error (4xx), not ours.
      if (!KubewrightError.is(error) || error.code !== 'SECRET_UNREADABLE') throw error;
      throw new KubewrightError('BAD_REQUEST', error.message, { cause: error });
    }),
  );
  convert('encode', 'encodePayloads', 'Encrypt payloads for Temporal', (payloads) => deps.codec.encode(payloads));

  api.post(
    '/codec/session',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'openCodecSession',
        summary:
          'Let this browser decrypt payloads in the UI of Temporal: stores the token in a cookie for /codec, 8 hours',
        tags,
        response: responses({ 204: z.null() }),
      },
    },
    async (request, reply) => {
      const token = (request.headers.authorization ?? '').replace(/^Bearer +/i, '');
      const secure = request.protocol === 'https' ? '; Secure' : '';
      const cookie = `${COOKIE}=${token}; Path=/codec; HttpOnly; SameSite=Strict; Max-Age=${COOKIE_SECONDS}${secure}`;
      return reply.code(204).header('set-cookie', cookie).send(null);
    },
  );
});

function fromWire({ metadata = {}, data = '' }: Wire): Payload {
  const entries = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')] as const);
  return { metadata: Object.fromEntries(entries), data: Buffer.from(data, 'base64') };
}

function toWire({ metadata, data }: Payload): Wire {
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)] as const);
  return { metadata: Object.fromEntries(entries), data: base64(data ?? new Uint8Array()) };
}
