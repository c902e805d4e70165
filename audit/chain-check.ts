import type { JournalEntry } from '../contracts/record.ts';
import { canonicalJson, sha256 } from '../store/canonical.ts';
import { type LinkPlace, NO_HASH } from '../store/journal-record.ts';
import { HashList } from './hash-list.ts';
import type { Problem } from './problem.ts';

/** A link as it was found: its number and hash as written, and the line that it stands for. */
export interface FoundLink {
  n: number;
  hash: string;
  line: string | null;
  /** What a lost line belonged to, where that is known. */
  record?: string | undefined;
}

/** Half a record as its line says it: any value may stand in any member. */
export type Half = { [Name in keyof JournalEntry | keyof LinkPlace | 'part']?: unknown };

/** Where a chain begins whose first links were pruned: behind link `n` with this hash. */
export interface ChainStart {
  n: number;
  hash: string;
}

/** What the record that opened an operation says, and how its last `close` says that it ended. */
export interface OperationFacts {
  kind: string;
  mode: string;
  spec: string;
  actor: string;
  actorId: string;
  requestId: string;
  /** Digest of the spec's row; empty in records of earlier versions. */
  specRow: string;
  state: string | null;
}

/** Kinds of records that are commands on hosts. */
const COMMANDS: ReadonlySet<unknown> = new Set(['exec', 'script', 'upload']);
const DIGEST = /^[0-9a-f]{64}$/;

/** A value as a text that may be shown: only texts and numbers say something. Never recurses into what was read. */
export const shownValue = (value: unknown): string =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : `a value of type ${typeof value}`;
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * Goes along one chain, link by link, and says of each what is wrong with it. Remembers what others must agree with:
 * hashes by number, outputs named, commands counted per attempt, how the operation was opened and closed.
 */
export class ChainCheck {
  /** Hash of each link by number, from 1, or from where the chain begins. */
  readonly hashes: HashList;
  /** Digest of each output, and the record that named it first. */
  readonly outputs = new Map<string, string>();
  /** Commands begun per attempt: `<workflow id>\0<activity id>\0<attempt>`. */
  readonly attempts = new Map<string, { commands: number; record: string }>();
  /** Specs that the chain says it was about. */
  readonly specs = new Set<string>();
  operation: OperationFacts | undefined;
  opened = false;
  closed = false;
  readonly #chain: string;
  readonly #where: string;
  readonly #notice: ((half: Half, id: string) => void) | undefined;
  readonly #open = new Map<string, string>();
  readonly #ended = new Set<string>();

  /** `notice` sees each half that is right. */
  constructor(
    chain: string,
    where: string,
    more: { start?: ChainStart | undefined; notice?: ((half: Half, id: string) => void) | undefined } = {},
  ) {
    this.#chain = chain;
    this.#where = where;
    this.#notice = more.notice;
    this.hashes = new HashList(more.start?.hash ?? NO_HASH, more.start?.n ?? 0);
  }

  /** The number of the last link, and records without an end. */
  get length(): number {
    return this.hashes.last;
  }
  get openRecords(): readonly string[] {
    return [...this.#open.keys()];
  }

  /** The next link. Null: it is as it was written. */
  next(link: FoundLink): Problem | null {
    const expected = this.hashes.last + 1;
    const name = (half?: Half): string => {
      const id = typeof half?.id === 'string' ? half.id : link.record;
      const whose =
        typeof half?.host === 'string' && half.host !== '' ? ` (${shownValue(half.kind)} on ${half.host})` : '';
      return `link ${link.n}${id === undefined ? '' : `, record ${id}${whose}`}`;
    };
    const bad = (what: string, half?: Half): Problem => ({ where: this.#where, record: name(half), what });
    const previous = this.hashes.at(this.hashes.last);
    // Whatever is wrong with it: the next one is judged by what this one was.
    this.hashes.push(link.hash);

    if (link.n !== expected) {
      const what =
        link.n > expected
          ? `link ${expected} is missing before it`
          : 'it stands there a second time, or in the wrong place';
      return bad(what);
    }
    if (link.line === null) return bad('the record of this link is missing');
    const half = parse(link.line);
    if (sha256(link.line) !== link.hash) return bad('its content is not what was written: the hash differs', half);
    if (half === undefined) return bad('it is not a line of canonical JSON');
    if (half.chain !== this.#chain) return bad(`it belongs to the chain ${shownValue(half.chain)}`, half);
    if (half.n !== expected) return bad(`it says that it is link ${shownValue(half.n)}`, half);
    if (half.prev !== previous) return bad('it does not follow on the link before it', half);
    return this.#pair(half, bad);
  }

  #pair(half: Half, bad: (what: string, half?: Half) => Problem): Problem | null {
    const id = half.id;
    if (typeof id !== 'string') return bad('it names no record');
    if (half.part === 'begin') {
      if (this.#open.has(id) || this.#ended.has(id)) return bad('the record begins a second time', half);
      this.#open.set(id, shownValue(half.kind));
      this.#countHalf(half, id);
    } else {
      if (half.part !== 'end') return bad('it is neither a begin nor an end', half);
      if (!this.#open.delete(id)) return bad('the record ends without having begun', half);
      this.#ended.add(id);
      for (const digest of [half.stdoutSha256, half.stderrSha256]) {
        if (typeof digest === 'string' && !this.outputs.has(digest)) this.outputs.set(digest, id);
      }
    }
    this.#notice?.(half, id);
    return null;
  }

  #countHalf(half: Half, id: string): void {
    if (COMMANDS.has(half.kind)) {
      const key = [half.workflowId, half.activityId, half.attempt].map(shownValue).join('\0');
      const known = this.attempts.get(key) ?? { commands: 0, record: id };
      known.commands += 1;
      this.attempts.set(key, known);
    }
    if (half.kind !== 'operation' || !Array.isArray(half.argv)) return;
    const [what, ...words] = half.argv.map(text);
    if (what === 'close') {
      this.closed = true;
      if (this.operation) this.operation.state = words[0] ?? '';
    }
    if (what === 'open') {
      this.opened = true;
      const [kind = '', mode = '', spec = ''] = words;
      if (DIGEST.test(spec)) this.specs.add(spec);
      const [actor, actorId, requestId] = [half.actor, half.actorId, half.requestId].map(text) as [
        string,
        string,
        string,
      ];
      // A later attempt of the same opening says the same.
      this.operation ??= { kind, mode, spec, actor, actorId, requestId, specRow: text(half.stdinSha256), state: null };
    }
  }
}

/** The half of a record that a line is; undefined when it is not the one text that such an object has. */
function parse(line: string): Half | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || canonicalJson(value) !== line) return undefined;
    return value;
  } catch {
    return undefined;
  }
}
