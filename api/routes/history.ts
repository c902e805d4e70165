import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { historyPage, operationId } from '../../contracts/api.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { printable } from '../../contracts/printable.ts';
import { followedRecord, journalRecord, RECORD_KINDS, RECORD_RESULTS, recordTable } from '../../contracts/record.ts';
import type { JournalFilter } from '../../store/journal.ts';
import type { ApiDeps } from '../deps.ts';
import { csvOf, followed, LINES_BUFFERED, listed, ndjsonOf, serverSentOf } from '../history-stream.ts';
import { clusterParams, defineRoutes, page, responses } from '../route.ts';
import type { OperationHistory } from '../temporal-gateway.ts';

const NO_HISTORY: OperationHistory = { events: [] };
/** A person who reads the journal does not wait longer for Temporal than this, ms. */
const EVENTS_WAIT_MS = 1_500;

const time = z.iso
  .datetime({ offset: true })
  .max(40)
  .transform((text) => new Date(text));

const historyFilter = {
  operation: operationId.optional(),
  phase: dnsLabel.optional(),
  host: dnsLabel.optional(),
  actor: z.string().max(63).optional().describe('Only records of the token with this name, or of `anonymous`'),
  kind: z.enum(RECORD_KINDS).optional(),
  result: z.enum(RECORD_RESULTS).optional().describe('Only records with this result; `open`: without an end'),
  since: time.optional().describe('Only records that began at or after this time'),
  until: time.optional().describe('Only records that began before this time'),
  changed: z.literal('true').optional().describe('Only records of commands and requests that change something'),
};

/** How a list of records may be asked for. */
export const listing = {
  ...page,
  ...historyFilter,
  order: z.enum(['oldest', 'newest']).default('oldest').describe('Order by begin'),
  format: z
    .enum(['json', 'ndjson', 'csv'])
    .optional()
    .describe('Format of the answer; ndjson and csv have all pages. Default: by the header Accept'),
};

const query = z.strictObject({
  ...listing,
  events: z
    .enum(['true', 'false'])
    .optional()
    .describe(
      'True: also events of the workflow of `operation`, or of the latest operation. Default: true when `operation` is given',
    ),
  follow: z
    .enum(['true', 'false'])
    .default('false')
    .describe('True: keep the connection open and send new records. With `operation`: until its bundle is made'),
  after: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe('With `follow`: continue behind this position (`pos` of a line, id of an event); 0 = from the beginning'),
});
type Query = z.infer<typeof query>;

/** The filter of a query on one cluster. */
export function filterOf(cluster: string, given: Partial<Query>): JournalFilter {
  const { operation, phase, host, actor, kind, result, since, until } = given;
  const changed = given.changed === 'true' ? true : undefined;
  return { cluster, operation, phase, host, actor, kind, result, since, until, changed };
}

/** GET /clusters/:name/history: everything that was done, who asked for it, and how it ended. */
export default defineRoutes((api, deps) => {
  api.get(
    '/clusters/:name/history',
    {
      config: {
        role: 'viewer',
        media: { 'application/x-ndjson': followedRecord, 'text/event-stream': journalRecord, 'text/csv': recordTable },
      },
      schema: {
        operationId: 'getHistory',
        summary:
          'List commands, requests and decisions of a cluster, oldest first: as pages, NDJSON, CSV or a live stream',
        tags: ['history'],
        params: clusterParams,
        querystring: query,
        produces: ['application/json', 'application/x-ndjson', 'text/csv', 'text/event-stream'],
        response: responses({ 200: historyPage }),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const latest = await deps.store.projections.latestOperation(name);
      const filter = filterOf(name, request.query);
      await requireKnownCluster(deps, name, request.query.operation, latest !== null);

      const format = formatOf(request, request.query);
      if (request.query.follow === 'true' || format === 'sse') {
        // Refused requests alone are a trail, and no cluster where anything could happen.
        if (!latest) throw new KubewrightError('NOT_FOUND', `there is no cluster named ${name}`);
        const after = resumeAt(request) ?? request.query.after ?? (await deps.store.journal.position());
        const { operation } = request.query;
        const entries = followed(deps.store.journal, filter, {
          after,
          signal: api.openStream(request, reply),
          over: async () => operation !== undefined && (await deps.store.bundles.find(name, operation)) !== null,
        });
        const lines = format === 'sse' ? serverSentOf(entries) : ndjsonOf(entries);
        const type = format === 'sse' ? 'text/event-stream' : 'application/x-ndjson';
        // Typed for the schema's page; a stream is sent as it is.
        return reply
          .type(type)
          .header('cache-control', 'no-store')
          .send(Readable.from(lines, { highWaterMark: LINES_BUFFERED }) as never);
      }
      if (format !== 'json') {
        const signal = api.openStream(request, reply);
        const entries = listed(deps.store.journal, { ...filter, order: request.query.order }, signal);
        const lines = format === 'csv' ? csvOf(entries) : ndjsonOf(entries);
        const type = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson';
        return reply
          .type(type)
          .header('content-disposition', `attachment; filename="${name}-history.${format}"`)
          .send(Readable.from(lines, { highWaterMark: LINES_BUFFERED }) as never);
      }

      const { limit, cursor, order, phase, host } = request.query;
      const operation = request.query.operation ?? latest?.operationId ?? null;
      // Temporal takes its time: a page of the journal alone does not wait for it.
      const mode = request.query.events ?? (request.query.operation === undefined ? 'false' : 'true');
      const [{ items, next }, { events }] = await Promise.all([
        deps.store.journal.list({ ...filter, limit, cursor, order }),
        operation === null || cursor !== undefined || mode === 'false'
          ? NO_HISTORY
          : workflowEvents(deps, name, operation),
      ]);
      const scheduled = new Map(
        events.flatMap(({ activityId, id, type }) =>
          activityId !== undefined && type === 'ActivityTaskScheduled' ? [[activityId, id] as const] : [],
        ),
      );
      const wanted = events.filter(
        (event) => (phase === undefined || event.phase === phase) && (host === undefined || event.host === host),
      );
      return {
        operation,
        events: wanted.map(({ activityId: _activityId, ...event }) => event),
        items: items.map((item) => ({
          ...item,
          eventId: item.operation === operation ? (scheduled.get(item.activityId) ?? null) : null,
        })),
        next,
      };
    },
  );

  api.get(
    '/clusters/:name/history/output/:sha',
    {
      config: { role: 'viewer' },
      schema: {
        operationId: 'getCommandOutput',
        summary: 'Get the output of a command by its sha256',
        tags: ['history'],
        description:
          'Control characters of terminals are escaped (\\u{1b}). With `raw=true` the answer is a file with the exact bytes ' +
          'of the digest.',
        params: clusterParams.extend({ sha: z.string().regex(/^[0-9a-f]{64}$/, 'must be a sha256') }),
        querystring: z.strictObject({ raw: z.enum(['true', 'false']).default('false') }),
        produces: ['text/plain', 'application/octet-stream'],
        response: responses({ 200: z.string() }),
      },
    },
    async (request, reply) => {
      const { name, sha } = request.params;
      const text = (await deps.store.journal.hasOutput(name, sha)) ? await deps.store.blobs.get(sha) : null;
      if (text === null) throw new KubewrightError('NOT_FOUND', `no command of ${name} wrote an output of this digest`);
      if (request.query.raw === 'false') return reply.type('text/plain; charset=utf-8').send(printable(text));
      void reply.header('content-disposition', `attachment; filename="${sha}"`);
      return reply.type('application/octet-stream').send(text);
    },
  );
});

/** Throws NOT_FOUND for clusters without any record, and operations that they do not have. */
async function requireKnownCluster(
  deps: ApiDeps,
  name: string,
  operation: string | undefined,
  known: boolean,
): Promise<void> {
  if (operation !== undefined) {
    if (await deps.store.projections.operation(name, operation)) return;
    throw new KubewrightError('NOT_FOUND', `there is no operation ${operation} of ${name}`);
  }
  if (known || (await deps.store.journal.list({ cluster: name, limit: 1 })).items.length > 0) return;
  throw new KubewrightError('NOT_FOUND', `there is no cluster named ${name}`);
}

export function formatOf(
  request: FastifyRequest,
  { format }: Pick<Query, 'format'>,
): 'json' | 'ndjson' | 'csv' | 'sse' {
  if (format !== undefined) return format;
  const accept = request.headers.accept ?? '';
  if (accept.includes('text/event-stream')) return 'sse';
  if (accept.includes('application/x-ndjson')) return 'ndjson';
  return accept.includes('text/csv') ? 'csv' : 'json';
}

function resumeAt(request: FastifyRequest): number | undefined {
  const given = request.headers['last-event-id'];
  if (given === undefined) return undefined;
  if (typeof given === 'string' && /^\d{1,15}$/.test(given)) return Number(given);
  throw new KubewrightError('BAD_REQUEST', 'headers.last-event-id must be the id of an event');
}

/** What the workflow did, if Temporal says so soon: it may have forgotten, be busy, or be away. The journal is ours. */
async function workflowEvents(deps: ApiDeps, cluster: string, operation: string): Promise<OperationHistory> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<OperationHistory>((resolve) => {
    timer = setTimeout(() => resolve(NO_HISTORY), EVENTS_WAIT_MS);
  });
  const found = deps.temporal.history(cluster, operation).catch((error: unknown) => {
    if (KubewrightError.is(error) && ['NOT_FOUND', 'TEMPORAL_UNAVAILABLE', 'RATE_LIMITED'].includes(error.code))
      return NO_HISTORY;
    throw error;
  });
  return Promise.race([found, late]).finally(() => clearTimeout(timer));
}
