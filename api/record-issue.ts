import type { FastifyRequest } from 'fastify';
import type { Journal } from '../store/journal.ts';
import { actorFor } from './plugins/auth.ts';

/** What is given out: to whom, and what it is good for. */
export interface Issue {
  what: 'kubeconfig' | 'token';
  /** Of the certificate or token. */
  id: string;
  /** Empty: of no single cluster. */
  cluster: string;
  /** For machines; never the thing itself. */
  facts: Readonly<Record<string, string>>;
  /** The same in words. */
  detail: string;
}

/**
 * Write down what a request is about to be given. The request's own record tells of it only that it was asked for; both
 * have its id. To be awaited before the answer: what cannot be written down is not given.
 */
export async function recordIssue(journal: Journal, request: FastifyRequest, issue: Issue): Promise<void> {
  const { what, id, cluster, facts, detail } = issue;
  const at = new Date();
  await journal.record(
    {
      kind: 'issue',
      actor: actorFor(request).name,
      requestId: request.id,
      cluster,
      argv: [what, ...Object.entries(facts).map(([name, value]) => `${name}=${value}`)],
      stdinSha256: null,
      stdinBytes: 0,
      changes: [{ resource: `${what}:${id}`, action: 'create', detail }],
      startedAt: at,
    },
    {
      ...{ endedAt: at, code: null, signal: null, stdout: '', stderr: '', stdoutBytes: 0, stderrBytes: 0 },
      ...{ truncated: false, error: null },
    },
  );
}
