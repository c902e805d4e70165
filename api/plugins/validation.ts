import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ZodTypeProvider } from '@fastify/type-provider-zod';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import { z } from 'zod';
import { KubewrightError } from '../../contracts/errors.ts';
import { describeIssues } from '../../contracts/issues.ts';
import { answerWriter } from './serialization.ts';

/** A Fastify whose routes have zod schemas. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Requests are checked by zod, in words that name the field; answers are written through their schemas. */
export function validate(app: FastifyInstance): Api {
  // A misspelled ?dryRun would build for real: what is not in the schema is refused.
  app.addHook('onRoute', ({ schema }) => {
    if (schema?.operationId !== undefined) schema.querystring ??= z.strictObject({});
  });
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (data: unknown) => {
    const parsed = schema.safeParse(data ?? undefined);
    if (parsed.success) return { value: parsed.data };
    const part = httpPart === 'querystring' ? 'query' : (httpPart ?? 'request');
    const errors = describeIssues(parsed.error, schema, data, [part]);
    const [first] = errors;
    const message = `${first?.path ?? part} ${first?.message ?? 'is invalid'}`;
    return { error: new KubewrightError('BAD_REQUEST', message, { errors }) };
  });
  app.setSerializerCompiler(answerWriter(app.log));
  return app.withTypeProvider<ZodTypeProvider>();
}
