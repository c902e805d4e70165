import type { Problem } from '../../../contracts/problem.ts';

/** An answer of the API that is no success, with its problem document; or no answer at all. */
export class ApiError extends Error {
  /** HTTP status; 0: no answer came. */
  readonly status: number;
  /** Null: the answer was no problem document. */
  readonly problem: Problem | null;
  constructor(status: number, problem: Problem | null, message: string) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

/** What a request may say beside its path. */
interface Asked {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON. */
  body?: unknown;
  /** The ETag of the view that the request was decided on. */
  ifMatch?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** An answer and the ETag of its view. */
export interface Answer<Body> {
  body: Body;
  etag: string | undefined;
}

/** Called with every answer 401: the session is over. */
let onSessionEnd: () => void = () => undefined;
export const whenSessionEnds = (listener: () => void): void => {
  onSessionEnd = listener;
};

/**
 * One request to the API with the cookie of the session. A POST has an Idempotency-Key: sending it again after a lost answer does
 * not do it twice. Throws ApiError.
 */
export async function ask<Body>(
  path: string,
  { method = 'GET', body, ifMatch, signal }: Asked = {},
): Promise<Answer<Body>> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (ifMatch !== undefined) headers['if-match'] = ifMatch;
  if (method === 'POST') headers['idempotency-key'] = newKey();
  const send = () =>
    fetch(path, {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: signal ?? null,
    });
  let response: Response;
  try {
    response = await send();
  } catch (first) {
    if (signal?.aborted) throw first;
    // A connection that was closed as we sent: safe again, the key is the same.
    try {
      response = await send();
    } catch (error) {
      throw new ApiError(0, null, error instanceof Error ? error.message : String(error));
    }
  }
  const json = /\bjson\b/.test(response.headers.get('content-type') ?? '');
  const answer: unknown = response.status === 204 ? null : json ? await response.json() : await response.text();
  if (response.ok) return { body: answer as Body, etag: response.headers.get('etag') ?? undefined };
  if (response.status === 401) onSessionEnd();
  const problem =
    json && answer !== null && typeof answer === 'object' && 'code' in answer ? (answer as Problem) : null;
  throw new ApiError(response.status, problem, problem?.detail ?? `HTTP ${response.status}`);
}

/** The body of a GET. Throws ApiError. */
export const read = async <Body>(path: string, signal?: AbortSignal): Promise<Body> =>
  (await ask<Body>(path, { signal })).body;

// crypto.randomUUID exists only where the page came over TLS or from this machine.
const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** A path of the API, each part encoded. */
export const path = (strings: TemplateStringsArray, ...values: string[]): string =>
  String.raw({ raw: strings }, ...values.map(encodeURIComponent));
