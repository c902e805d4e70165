import type { Journal } from '../store/journal.ts';
import { NO_OUTPUT } from '../store/journal-record.ts';
import type { SessionInfo } from '../store/sessions.ts';
import type { TokenInfo } from '../store/tokens.ts';

/** What is issued: to whom, and with which rights. */
export interface Issue {
  what: 'kubeconfig' | 'token' | 'session';
  /** Of the certificate, token or session. */
  id: string;
  /** Empty: of no single cluster. */
  cluster: string;
  /** For machines; never the thing itself. */
  facts: Readonly<Record<string, string>>;
  /** The same in words. */
  detail: string;
  /** sha256 of the row that we keep of it, when there is one: a change of the row shows in `audit check`. */
  digest?: string | undefined;
}

/** Who gives it. `requestId` joins it with the record of the request; empty without one. */
export interface Giver {
  actor: string;
  /** Id of the giver's token; absent without one. */
  actorId?: string | undefined;
  requestId: string;
}

/**
 * Record what is about to be handed out: a request's own record says only that it was asked for. To be awaited
 * before it is handed over: what cannot be written down is not given.
 */
export async function recordIssue(journal: Pick<Journal, 'record'>, by: Giver, issue: Issue): Promise<void> {
  const { what, id, cluster, facts, detail, digest = null } = issue;
  const at = new Date();
  await journal.record(
    {
      ...by,
      kind: 'issue',
      cluster,
      argv: [what, ...Object.entries(facts).map(([name, value]) => `${name}=${value}`)],
      stdinSha256: digest,
      stdinBytes: 0,
      changes: [{ resource: `${what}:${id}`, action: 'create', detail }],
      startedAt: at,
    },
    { ...NO_OUTPUT, endedAt: at, code: null, error: null },
  );
}

/** Record that retention removes an expired or revoked token: its row is deleted, and this is the reason. */
export async function recordRemoval(journal: Pick<Journal, 'record'>, by: Giver, token: string): Promise<void> {
  const at = new Date();
  await journal.record(
    {
      ...by,
      kind: 'issue',
      cluster: '',
      argv: ['token-removed', `id=${token}`],
      stdinSha256: null,
      stdinBytes: 0,
      changes: [{ resource: `token:${token}`, action: 'remove', detail: 'expired or revoked; removed by retention' }],
      startedAt: at,
    },
    { ...NO_OUTPUT, endedAt: at, code: null, error: null },
  );
}

/** What a token is. `digest`: of its row, as the store gives it. */
export function tokenIssue({ id, name, role, clusters, expiresAt }: TokenInfo, digest: string): Issue {
  const expires = expiresAt ?? 'never';
  return {
    what: 'token',
    id,
    digest,
    cluster: '',
    facts: { name, role, id, clusters: clusters?.join(' ') ?? 'all', expires },
    detail: `${name}, ${role} of ${clusters?.join(', ') ?? 'all clusters'}, ${expiresAt === null ? 'without an end' : `until ${expires}`}`,
  };
}

/** What a session is: the rights of a token, in a browser. */
export function sessionIssue({ id, actor, expiresAt }: SessionInfo, by: 'code' | 'token'): Issue {
  return {
    what: 'session',
    id,
    cluster: '',
    facts: { id, token: actor.id ?? '', by, expires: expiresAt },
    detail: `a session with the rights of the token ${actor.name}, until ${expiresAt}`,
  };
}
