import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Kysely } from 'kysely';
import { ulid } from 'ulid';
import type { Actor } from '../contracts/operation.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import type { Tables, TokenRow } from './schema.ts';
import { now } from './time.ts';

/** A bearer token as it is listed: never its text. */
export interface TokenInfo {
  id: string;
  name: string;
  role: Actor['role'];
  createdAt: string;
  expiresAt: string | null;
  revokedAt: string | null;
  /** The clusters that it may access; null: all of them, and what belongs to none. */
  clusters: string[] | null;
}

/** Who a valid token belongs to, and how far it reaches. */
export interface TokenHolder {
  actor: Actor;
  clusters: readonly string[] | null;
}

/** How far a valid token reaches. */
export interface TokenGrant {
  role: Actor['role'];
  clusters: readonly string[] | null;
}

/** Bearer tokens. Only their sha256 is kept: 32 random bytes need no slow hash. */
export interface TokenStore {
  /** The text is given this once. */
  create(
    name: string,
    role: Actor['role'],
    more?: { expiresAt?: Date | null | undefined; clusters?: readonly string[] | null | undefined },
  ): Promise<{ token: string; info: TokenInfo; digest: string }>;
  /** Who the token belongs to; null when it is unknown, expired or revoked. */
  verify(token: string): Promise<TokenHolder | null>;
  list(): Promise<TokenInfo[]>;
  /** Tokens behind an id, each with the digest of its row. For the audit. */
  check(after: string, limit: number): Promise<{ info: TokenInfo; digest: string }[]>;
  /** One page, oldest first; `cursor` is the id behind which it begins. */
  page(at: { limit: number; cursor?: string | undefined }): Promise<{ items: TokenInfo[]; next: string | null }>;
  /** False when there is no such token, or it was revoked before. */
  revoke(id: string): Promise<boolean>;
  /** Present rights of these tokens, by id; without those that are unknown, expired or revoked. */
  grants(ids: readonly string[]): Promise<Map<string, TokenGrant>>;
  /** Called after each revocation in this process, with the token's id. Returns the function that ends it. */
  onRevoke(listener: (id: string) => void): () => void;
}

/** Prefix of every token, so that secret scanners and people recognise it. */
const PREFIX = 'kw_';
const TOKEN_BYTES = 32;

export function tokenStore(db: Kysely<Tables>): TokenStore {
  const listeners = new Set<(id: string) => void>();
  return {
    async create(name, role, more = {}) {
      const token = `${PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
      const row: TokenRow = {
        id: ulid().toLowerCase(),
        name,
        role,
        sha256: sha256(token),
        created_at: now(),
        expires_at: more.expiresAt?.toISOString() ?? null,
        revoked_at: null,
        clusters: more.clusters ? JSON.stringify(more.clusters) : null,
      };
      await db.insertInto('tokens').values(row).execute();
      return { token, info: infoOf(row), digest: digestOf(row) };
    },
    async verify(token) {
      if (!token.startsWith(PREFIX) || token.length > 128) return null;
      const digest = sha256(token);
      // The index compares digests, which reveal nothing about a token; the final comparison is in constant time.
      const row = await db.selectFrom('tokens').selectAll().where('sha256', '=', digest).executeTakeFirst();
      if (!row || !timingSafeEqual(Buffer.from(row.sha256), Buffer.from(digest))) return null;
      return isValid(row) ? holderOf(row) : null;
    },
    async list() {
      return (await db.selectFrom('tokens').selectAll().orderBy('id').execute()).map(infoOf);
    },
    async check(after, limit) {
      const rows = await db
        .selectFrom('tokens')
        .selectAll()
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ info: infoOf(readable(row)), digest: digestOf(row) }));
    },
    async page({ limit, cursor }) {
      const rows = await db
        .selectFrom('tokens')
        .selectAll()
        .where('id', '>', cursor ?? '')
        .orderBy('id')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map(infoOf);
      return { items, next: rows.length > limit ? items.at(-1)!.id : null };
    },
    async revoke(id) {
      const { numUpdatedRows } = await db
        .updateTable('tokens')
        .set({ revoked_at: now() })
        .where('id', '=', id)
        .where('revoked_at', 'is', null)
        .executeTakeFirst();
      if (numUpdatedRows > 0n) for (const listener of listeners) listener(id);
      return numUpdatedRows > 0n;
    },
    async grants(ids) {
      if (ids.length === 0) return new Map();
      const rows = await db
        .selectFrom('tokens')
        .selectAll()
        .where('id', 'in', [...ids])
        .where('revoked_at', 'is', null)
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now())]))
        .execute();
      return new Map(rows.map((row) => [row.id, { role: row.role as Actor['role'], clusters: clustersOf(row) }]));
    },
    onRevoke(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Neither revoked nor expired. */
export const isValid = ({ revoked_at, expires_at }: TokenRow): boolean =>
  revoked_at === null && (expires_at === null || expires_at > now());

/** Who a token belongs to, and how far it reaches. */
export const holderOf = (row: TokenRow): TokenHolder => ({
  actor: { name: row.name, role: row.role as Actor['role'], id: row.id },
  clusters: clustersOf(row),
});

/** Of what never changes in a token's row: its `issue` record names it, so that a row changed behind our back shows. */
export function digestOf({ id, name, role, sha256: ofText, created_at, expires_at, clusters }: TokenRow): string {
  return sha256(canonicalJson({ id, name, role, sha256: ofText, created_at, expires_at, clusters }));
}

/** The audit says of a row that was changed that it was, whatever it was changed to. */
function readable(row: TokenRow): TokenRow {
  if (row.clusters === null) return row;
  try {
    if (Array.isArray(JSON.parse(row.clusters))) return row;
  } catch {
    // What follows holds for texts that are no JSON as well.
  }
  return { ...row, clusters: JSON.stringify([row.clusters]) };
}

function infoOf(row: TokenRow): TokenInfo {
  return {
    id: row.id,
    name: row.name,
    role: row.role as Actor['role'],
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    clusters: clustersOf(row),
  };
}

export const clustersOf = (row: Pick<TokenRow, 'clusters'>): string[] | null =>
  row.clusters === null ? null : (JSON.parse(row.clusters) as string[]);
