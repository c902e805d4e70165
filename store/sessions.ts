import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Kysely } from 'kysely';
import { ulid } from 'ulid';
import type { Actor } from '../contracts/operation.ts';
import { sha256 } from './canonical.ts';
import type { SessionRow, Tables, TokenRow } from './schema.ts';
import { now } from './time.ts';
import { digestOf, holderOf, isValid, type TokenHolder } from './tokens.ts';

/** A session as it is listed: never its secret. */
export interface SessionInfo {
  id: string;
  actor: Actor;
  clusters: readonly string[] | null;
  createdAt: string;
  /** Of the last request, to the minute. */
  seenAt: string;
  /** Its end, used or not; earlier when its token expires. */
  expiresAt: string;
}

/** Sessions of browsers. Each has exactly the rights of its token and ends with it; of secrets only sha256 is kept. */
export interface SessionStore {
  /** A one-time code for a login with the rights of this token. Of more than MAX_CODES of a token the oldest is dropped. */
  createCode(tokenId: string): Promise<{ code: string; expiresAt: string }>;
  /** Takes the code away, and returns the id of its token; null when it is unknown, used or expired. */
  redeemCode(code: string): Promise<string | null>;
  /** A new session, with a new id and secret. Of more than MAX_SESSIONS the one that was used least lately ends. Null: the token is not valid. */
  create(tokenId: string): Promise<{ secret: string; info: SessionInfo } | null>;
  /** The session of a secret; null when it is unknown or over, or its token is revoked, expired or changed. Counts as use. */
  verify(secret: string): Promise<(TokenHolder & { info: SessionInfo }) | null>;
  /** One page of the present ones, oldest first; `cursor` is the id behind which it begins. */
  page(at: { limit: number; cursor?: string | undefined }): Promise<{ items: SessionInfo[]; next: string | null }>;
  /** False when there is no such session. */
  end(id: string): Promise<boolean>;
  /** Those of the ids that are not over. Counts as use. */
  living(ids: readonly string[]): Promise<Set<string>>;
  /** Called after each `end` in this process, with the id. Returns the function that ends it. */
  onEnd(listener: (id: string) => void): () => void;
}

const MINUTE_MS = 60_000;
/** How long a code may be used. */
const CODE_MS = 5 * MINUTE_MS;
/** How long a session lasts without a request, and at all. */
const IDLE_MS = 8 * 60 * MINUTE_MS;
const LONGEST_MS = 7 * 24 * 60 * MINUTE_MS;
/** Of one token. */
const MAX_CODES = 10;
const MAX_SESSIONS = 20;
const SECRET_BYTES = 32;
const SECRET = /^[A-Za-z0-9_-]{43}$/;

const at = (ms: number): string => new Date(ms).toISOString();
const randomText = (): string => randomBytes(SECRET_BYTES).toString('base64url');

/** The index compares digests, which reveal nothing about a secret; the final comparison is in constant time. */
const sameDigest = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

export function sessionStore(db: Kysely<Tables>): SessionStore {
  const listeners = new Set<(id: string) => void>();

  async function validToken(id: string): Promise<TokenRow | null> {
    const row = await db.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst();
    return row && isValid(row) ? row : null;
  }
  const tokensOf = async (rows: readonly SessionRow[]): Promise<Map<string, TokenRow>> => {
    if (rows.length === 0) return new Map();
    const ids = [...new Set(rows.map(({ token_id }) => token_id))];
    const tokens = await db.selectFrom('tokens').selectAll().where('id', 'in', ids).execute();
    return new Map(tokens.map((token) => [token.id, token]));
  };
  async function touch(rows: readonly SessionRow[]): Promise<void> {
    const stale = at(Date.now() - MINUTE_MS);
    const ids = rows.filter(({ seen_at }) => seen_at < stale).map(({ id }) => id);
    if (ids.length > 0) await db.updateTable('sessions').set({ seen_at: now() }).where('id', 'in', ids).execute();
  }
  /** Removes what is over, so that the tables stay small. */
  async function sweep(): Promise<void> {
    await db.deleteFrom('login_codes').where('expires_at', '<=', now()).execute();
    await db
      .deleteFrom('sessions')
      .where((where) => where.or([where('expires_at', '<=', now()), where('seen_at', '<=', at(Date.now() - IDLE_MS))]))
      .execute();
  }

  async function end(id: string): Promise<boolean> {
    const { numDeletedRows } = await db.deleteFrom('sessions').where('id', '=', id).executeTakeFirst();
    if (numDeletedRows > 0n) for (const listener of listeners) listener(id);
    return numDeletedRows > 0n;
  }

  return {
    async createCode(tokenId) {
      await sweep();
      const code = randomText();
      const row = {
        ...{ sha256: sha256(code), token_id: tokenId },
        ...{ created_at: now(), expires_at: at(Date.now() + CODE_MS) },
      };
      await db.insertInto('login_codes').values(row).execute();
      const newest = db
        .selectFrom('login_codes')
        .select('sha256')
        .where('token_id', '=', tokenId)
        .orderBy('created_at', 'desc')
        .limit(MAX_CODES);
      await db.deleteFrom('login_codes').where('token_id', '=', tokenId).where('sha256', 'not in', newest).execute();
      return { code, expiresAt: row.expires_at };
    },
    async redeemCode(code) {
      if (!SECRET.test(code)) return null;
      const digest = sha256(code);
      // One statement: of two at once only one gets the row.
      const row = await db.deleteFrom('login_codes').where('sha256', '=', digest).returningAll().executeTakeFirst();
      return row && sameDigest(row.sha256, digest) && row.expires_at > now() ? row.token_id : null;
    },
    async create(tokenId) {
      const token = await validToken(tokenId);
      if (!token) return null;
      await sweep();
      const secret = randomText();
      const latest = at(Date.now() + LONGEST_MS);
      const row: SessionRow = {
        id: ulid().toLowerCase(),
        sha256: sha256(secret),
        token_id: token.id,
        token_sha256: digestOf(token),
        created_at: now(),
        seen_at: now(),
        expires_at: token.expires_at !== null && token.expires_at < latest ? token.expires_at : latest,
      };
      await db.insertInto('sessions').values(row).execute();
      const others = await db
        .selectFrom('sessions')
        .select('id')
        .where('token_id', '=', tokenId)
        .where('id', '!=', row.id)
        .orderBy('seen_at', 'desc')
        .orderBy('id', 'desc')
        .execute();
      for (const { id } of others.slice(MAX_SESSIONS - 1)) await end(id);
      return { secret, info: infoOf(row, token) };
    },
    async verify(secret) {
      if (!SECRET.test(secret)) return null;
      const digest = sha256(secret);
      const row = await db.selectFrom('sessions').selectAll().where('sha256', '=', digest).executeTakeFirst();
      if (!row || !sameDigest(row.sha256, digest)) return null;
      const token = await validToken(row.token_id);
      if (!lives(row, token)) return null;
      await touch([row]);
      return { ...holderOf(token!), info: infoOf(row, token!) };
    },
    async page({ limit, cursor }) {
      const items: SessionInfo[] = [];
      for (let behind = cursor ?? ''; ; ) {
        const rows = await db
          .selectFrom('sessions')
          .selectAll()
          .where('id', '>', behind)
          .orderBy('id')
          .limit(limit + 1)
          .execute();
        const tokens = await tokensOf(rows);
        for (const row of rows) {
          const token = tokens.get(row.token_id) ?? null;
          if (!lives(row, token)) continue;
          if (items.length === limit) return { items, next: items.at(-1)!.id };
          items.push(infoOf(row, token!));
        }
        if (rows.length <= limit) return { items, next: null };
        behind = rows.at(-1)!.id;
      }
    },
    end,
    async living(ids) {
      if (ids.length === 0) return new Set();
      const rows = await db
        .selectFrom('sessions')
        .selectAll()
        .where('id', 'in', [...ids])
        .execute();
      const tokens = await tokensOf(rows);
      const found = rows.filter((row) => lives(row, tokens.get(row.token_id) ?? null));
      await touch(found);
      return new Set(found.map(({ id }) => id));
    },
    onEnd(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function lives(row: SessionRow, token: TokenRow | null): boolean {
  if (row.expires_at <= now() || row.seen_at <= at(Date.now() - IDLE_MS)) return false;
  return token !== null && isValid(token) && digestOf(token) === row.token_sha256;
}

const infoOf = (row: SessionRow, token: TokenRow): SessionInfo => ({
  id: row.id,
  ...holderOf(token),
  createdAt: row.created_at,
  seenAt: row.seen_at,
  expiresAt: row.expires_at,
});
