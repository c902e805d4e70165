import { randomUUID } from 'node:crypto';
import { openApi, type ServerOptions } from './api.ts';
import { say } from './print.ts';

/** Sends a decision about a running operation, and prints that it was accepted. */
export async function act(server: ServerOptions, cluster: string, path: string, body: object): Promise<void> {
  const { operation } = await openApi(server).request<{ operation: string }>(
    'POST',
    `/clusters/${encodeURIComponent(cluster)}/${path}`,
    { body, headers: { 'idempotency-key': randomUUID() } },
  );
  say(`operation/${operation} of cluster/${cluster}: accepted`);
}

/** Members of a body that were given. */
export const given = (body: Record<string, unknown>): object =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
