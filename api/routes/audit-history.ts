import { Readable } from 'node:stream';
import { z } from 'zod';
import { pageOf } from '../../contracts/api.ts';
import { followedRecord, journalRecord, recordTable } from '../../contracts/record.ts';
import { csvOf, LINES_BUFFERED, listed, ndjsonOf } from '../history-stream.ts';
import { defineRoutes, responses } from '../route.ts';
import { filterOf, formatOf, listing } from './history.ts';

/** GET /audit/history: what concerns no cluster: tokens, credentials, keys, and callers without a token. */
export default defineRoutes((api, deps) => {
  api.get(
    '/audit/history',
    {
      config: { role: 'admin', media: { 'application/x-ndjson': followedRecord, 'text/csv': recordTable } },
      schema: {
        operationId: 'getAuditHistory',
        summary: 'List requests that concern no cluster, with those that had no valid token',
        tags: ['history'],
        querystring: z.strictObject(listing),
        produces: ['application/json', 'application/x-ndjson', 'text/csv'],
        response: responses({ 200: pageOf(journalRecord) }),
      },
    },
    async (request, reply) => {
      const filter = filterOf('', request.query);
      const { limit, cursor, order } = request.query;
      const format = formatOf(request, request.query);
      if (format === 'json' || format === 'sse') {
        const { items, next } = await deps.store.journal.list({ ...filter, limit, cursor, order });
        return { items, next };
      }
      const entries = listed(deps.store.journal, { ...filter, order }, api.openStream(request, reply));
      const type = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson';
      const lines = format === 'csv' ? csvOf(entries) : ndjsonOf(entries);
      // Typed for the schema's page; a stream is sent as it is.
      return reply.type(type).send(Readable.from(lines, { highWaterMark: LINES_BUFFERED }) as never);
    },
  );
});
