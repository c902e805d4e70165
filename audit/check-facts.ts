import type { Store } from '../store/index.ts';
import { chainOf } from '../store/journal-record.ts';
import type { Half, OperationFacts } from './chain-check.ts';
import type { Say } from './problem.ts';

const PAGE = 500;

interface TokenFacts {
  /** Digest of the row as it was given out; null: a record of an earlier version. */
  digest: string | null;
  name: string;
  role: string;
  clusters: string;
  expires: string;
}

/** What the chains say of things that have a row of their own as well. */
export class JournalFacts {
  /** By the operation's chain. */
  readonly operations = new Map<string, OperationFacts>();
  /** Specs that operations were opened with: digests of their rows, as far as the records name them. */
  readonly specs = new Map<string, { chain: string; rows: Set<string> }>();
  readonly tokens = new Map<string, TokenFacts>();
  /** Tokens that a request revoked, with the time of that request. */
  readonly revoked = new Map<string, { from: string; until: string }>();
  /** Tokens whose rows retention removed. */
  readonly removed = new Set<string>();
  readonly #revoking = new Map<string, { token: string; from: string }>();

  /** Sees each half of a record, in the order of its chain. */
  readonly notice = (half: Half, id: string): void => {
    const argv = Array.isArray(half.argv) ? half.argv.map((word) => (typeof word === 'string' ? word : '')) : [];
    if (half.part === 'begin' && half.kind === 'issue' && argv[0] === 'token') {
      const fact = (name: string) => argv.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
      const digest = typeof half.stdinSha256 === 'string' ? half.stdinSha256 : null;
      this.tokens.set(fact('id'), {
        digest,
        ...{ name: fact('name'), role: fact('role'), clusters: fact('clusters'), expires: fact('expires') },
      });
    }
    // Retention says which token it removes. One whose row still exists is compared as usual.
    if (half.part === 'begin' && half.kind === 'issue' && argv[0] === 'token-removed') {
      this.removed.add(argv[1]?.slice('id='.length) ?? '');
    }
    if (half.part === 'begin' && half.kind === 'request' && argv[0] === 'DELETE') {
      const [, token] = /^\/tokens\/([0-9a-z]{1,64})(\?|$)/.exec(argv[1] ?? '') ?? [];
      if (token !== undefined) this.#revoking.set(id, { token, from: String(half.startedAt) });
    }
    if (half.part !== 'end') return;
    const revoking = this.#revoking.get(id);
    this.#revoking.delete(id);
    if (revoking && half.exitCode === 204) {
      this.revoked.set(revoking.token, { from: revoking.from, until: String(half.endedAt) });
    }
  };
}

/** Tokens against the records of what was given out and taken back. Returns how many there are. */
export async function checkTokens(tokens: Store['tokens'], facts: JournalFacts, say: Say): Promise<number> {
  const missing = new Set(facts.tokens.keys());
  let count = 0;
  for (let after = ''; ; ) {
    const page = await tokens.check(after, PAGE);
    for (const { info, digest } of page) {
      count += 1;
      missing.delete(info.id);
      const bad = (what: string) => say({ where: 'tokens', record: `token ${info.id}`, what });
      const issued = facts.tokens.get(info.id);
      const revoked = facts.revoked.get(info.id);
      const asIssued =
        issued === undefined || issued.digest === null
          ? issued?.name === info.name &&
            issued.role === info.role &&
            issued.clusters === (info.clusters?.join(' ') ?? 'all') &&
            issued.expires === (info.expiresAt ?? 'never')
          : issued.digest === digest;
      // A token that was revoked at once because its record could not be written has no rights.
      if (!issued) {
        if (info.revokedAt === null) bad('no record says that it was handed out');
      } else if (!asIssued) bad('it is not as it was when it was given out');
      else if (revoked && info.revokedAt === null) bad('a request revoked it, and it is valid again');
      else if (revoked && !(revoked.from <= info.revokedAt! && info.revokedAt! <= revoked.until)) {
        bad('the time of its end is not that of the request that revoked it');
      } else if (!revoked && info.revokedAt !== null) bad('it is revoked, and no request did that');
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!.info.id;
  }
  for (const id of missing) {
    if (facts.removed.has(id)) continue;
    say({ where: 'tokens', record: `token ${id}`, what: 'a record says that it was given out, and it is missing' });
  }
  return count;
}

/** Rows of operations against the records that opened and closed them. Returns what bundles say of each as well, by chain. */
export async function checkOperations(
  rows: Store['operationRows'],
  facts: JournalFacts,
  pruned: (chain: string) => boolean,
  say: Say,
): Promise<Map<string, string>> {
  const missing = new Set(facts.operations.keys());
  const found = new Map<string, string>();
  for (let after = { cluster: '', operation: '' }; ; ) {
    const page = await rows.check(after, PAGE);
    for (const row of page) {
      const { cluster, operation } = row;
      const chain = chainOf({ cluster, operation });
      found.set(chain, row.sealed);
      missing.delete(chain);
      const bad = (what: string) => say({ where: 'operations', record: `operation ${operation} of ${cluster}`, what });
      if (row.problem !== null) bad(row.problem);
      const opened = facts.operations.get(chain);
      if (!opened) continue;
      for (const [name, is, was] of [
        ['kind', row.kind, opened.kind],
        ['mode', row.mode, opened.mode],
        ['actor', row.actor, opened.actor],
        ['spec', row.spec, opened.spec],
        // Rows of earlier versions, and of operations that they began, have no id of a token.
        ['token', row.actorId ?? opened.actorId, opened.actorId],
      ] as const) {
        if (is !== was) bad(`its ${name} is ${is}; the journal says that it was opened with ${was}`);
      }
      if (opened.state !== null && row.over && row.state !== opened.state) {
        bad(`it is ${row.state}; the journal says that it was closed as ${opened.state}`);
      }
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!;
  }
  for (const chain of missing) {
    if (!pruned(chain))
      say({ where: 'operations', record: chain, what: 'the journal says that it was opened: missing' });
  }
  return found;
}

/** Specs against the chains that name them. Returns how many there are, and when each was stored. */
export async function checkSpecs(
  specs: Store['specs'],
  facts: JournalFacts,
  say: Say,
): Promise<Map<string, { cluster: string; createdAt: string }>> {
  const missing = new Map(facts.specs);
  const found = new Map<string, { cluster: string; createdAt: string }>();
  for (let after = ''; ; ) {
    const page = await specs.check(after, PAGE);
    for (const { digest, problem, cluster, createdAt, row } of page) {
      const named = facts.specs.get(digest);
      if (problem !== null) say({ where: 'specs', record: digest, what: problem });
      else if (named && named.rows.size > 0 && !(named.rows.size === 1 && named.rows.has(row))) {
        say({ where: 'specs', record: digest, what: `it is not of the cluster and time that ${named.chain} names` });
      }
      missing.delete(digest);
      found.set(digest, { cluster, createdAt });
    }
    if (page.length < PAGE) break;
    after = page.at(-1)!.digest;
  }
  for (const [digest, { chain }] of missing) {
    say({ where: 'specs', record: digest, what: `${chain} names it: missing` });
  }
  return found;
}
