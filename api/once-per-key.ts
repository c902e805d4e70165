import { randomUUID } from 'node:crypto';
import { KubewrightError } from '../contracts/errors.ts';
import { canonicalJson, sha256 } from '../store/canonical.ts';
import type { ApiDeps } from './deps.ts';

/**
 * Do something once per Idempotency-Key of a cluster: a repetition gets the first answer. Without a key each request is
 * its own. `requested` is what makes two requests the same; `work` must itself be safe to repeat under one request id.
 * Throws IDEMPOTENCY_KEY_REUSED.
 */
export async function oncePerKey(
  deps: ApiDeps,
  cluster: string,
  key: string | undefined,
  requested: object,
  work: (requestId: string) => Promise<string>,
): Promise<string> {
  if (key === undefined) return await work(randomUUID());
  const scope = `cluster/${cluster}`;
  const digest = sha256(canonicalJson(requested));
  const claimed = await deps.store.requests.claim(scope, key, digest);
  if (claimed.bodySha256 !== digest) {
    throw new KubewrightError('IDEMPOTENCY_KEY_REUSED', `the key ${key} belongs to another request`);
  }
  if (claimed.answer !== null) return claimed.answer;
  const answer = await work(key);
  await deps.store.requests.complete(scope, key, answer);
  return answer;
}
