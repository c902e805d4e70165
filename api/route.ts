import { z } from 'zod';
import { KubewrightError } from '../contracts/errors.ts';
import { LIMITS } from '../contracts/limits.ts';
import { dnsLabel } from '../contracts/primitives.ts';
import { problem } from '../contracts/problem.ts';
import type { ClusterRecord } from '../store/projections.ts';
import { scanFolder } from '../store/scan-folder.ts';
import type { ApiDeps } from './deps.ts';
import type { Api } from './plugins/validation.ts';

/** Adds the routes of one resource to the API. */
export type AddRoutes = (api: Api, deps: ApiDeps) => void;

/** The default export of a file in `routes/`: a route is a file there, and no line in a table. */
export const defineRoutes = (add: AddRoutes): AddRoutes => add;

/** The routes of a folder (default: `routes/`). Throws INTERNAL for a file without `defineRoutes`. */
export const scanRoutes = (folder: URL = new URL('./routes/', import.meta.url)): Promise<AddRoutes[]> =>
  scanFolder(folder, (value): value is AddRoutes => typeof value === 'function');

/** What a status means in the OpenAPI document, for answers that do not say it themselves. */
const STATUS_TEXT: Readonly<Record<string, string>> = {
  200: 'The request succeeded',
  201: 'The resource was created',
  202: 'The request was accepted; `links` lead to the operation',
  204: 'The request succeeded; the answer has no body',
};

/** Answers of a route: the given ones, and problem documents for the rest. */
export const responses = <Answers extends Record<number, z.ZodType>>(answers: Answers) => ({
  ...(Object.fromEntries(
    Object.entries(answers).map(([status, answer]) => [
      status,
      answer.description === undefined ? answer.describe(STATUS_TEXT[status] ?? 'The answer') : answer,
    ]),
  ) as Answers),
  '4xx': problem.describe('The request was refused'),
  '5xx': problem.describe('The service failed'),
});

export const clusterName = dnsLabel.max(40);
export const clusterParams = z.object({ name: clusterName });
/** Parameters of what is listed by the id of its row: tokens, sessions. */
export const rowParams = z.object({
  id: z
    .string()
    .max(64)
    .regex(/^[0-9a-z]+$/),
});
export const page = {
  limit: z.coerce.number().int().min(1).max(LIMITS.pageSize).default(50),
  cursor: z
    .string()
    .max(256)
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.:-]*$/, 'must be the `next` of a page')
    .optional(),
};
/** Idempotency-Key of a changing request. */
export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,128}$/, 'must be 1 to 128 letters, digits and . _ : -')
    .optional(),
});

/** Headers of a command to a running operation. */
export const commandHeaders = idempotencyHeaders.extend({
  'if-match': z.string().max(200).optional().describe('ETag of the view that the request is based on'),
});

/** The links of an operation. */
export const operationLinks = (cluster: string, operation: string) => ({
  cluster: `/clusters/${cluster}`,
  operation: `/clusters/${cluster}/operations/${operation}`,
  tasks: `/clusters/${cluster}/operations/${operation}/tasks`,
  events: `/clusters/${cluster}/events`,
  history: `/clusters/${cluster}/history?operation=${operation}`,
});

/** Throws NOT_FOUND unless the cluster exists, if only as the subject of a dry run. */
export async function requireKnown(deps: ApiDeps, cluster: string): Promise<void> {
  if (!(await deps.store.projections.latestOperation(cluster))) await requireCluster(deps, cluster);
}

/** The cluster by that name. Throws NOT_FOUND. */
export async function requireCluster(deps: ApiDeps, name: string): Promise<ClusterRecord> {
  const found = await deps.store.projections.cluster(name);
  if (!found) throw new KubewrightError('NOT_FOUND', `there is no cluster named ${name}`);
  return found;
}
