import type { JournalEntry } from '../contracts/record.ts';

/**
 * The tables, as Kysely sees them. Both engines hold the same: texts, 64-bit integers and binary. Times are ISO 8601 in
 * UTC with milliseconds, so that text order is time order; JSON is text that only we read.
 */

export interface SpecRow {
  digest: string;
  cluster: string;
  document: string;
  created_at: string;
}

export interface SecretRow {
  scope: string;
  name: string;
  key_id: string;
  nonce: Uint8Array;
  sealed: Uint8Array;
  created_at: string;
  updated_at: string;
}

export interface HostKeyRow {
  cluster: string;
  host: string;
  host_key: string;
  recorded_at: string;
  /** Who said that it is the right one; null: it was only seen at the first connection. */
  confirmed_by: string | null;
}

/** A use of a credential that an admin approved. */
export interface LoginApprovalRow {
  cluster: string;
  /** sha256 of the use in canonical JSON. */
  use_digest: string;
  approved_by: string;
  approved_at: string;
}

export interface TokenRow {
  id: string;
  name: string;
  role: string;
  sha256: string;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  /** JSON list of cluster names; null: all. */
  clusters: string | null;
}

/** A one-time code for a login, not yet used. */
export interface LoginCodeRow {
  sha256: string;
  token_id: string;
  created_at: string;
  expires_at: string;
}

/** A session of a browser: the rights of its token. */
export interface SessionRow {
  id: string;
  /** Of its secret. */
  sha256: string;
  token_id: string;
  /** Digest of the row of the token at the login: another row ends the session. */
  token_sha256: string;
  created_at: string;
  /** Of the last request, to the minute. */
  seen_at: string;
  /** Its end, used or not. */
  expires_at: string;
}

/** The name of a column: that of the field, in lower case with `_`. */
type Column<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${Column<Rest>}`
  : '';
/** Lists are JSON, truth is 0 or 1. */
type Stored<Value> = Value extends string | readonly unknown[] ? string : Value extends boolean ? number : Value;

/**
 * One record of the journal (contracts/record.ts) as its row. `interrupted` has no column: records behind this one tell it.
 * `changes` is null where there are none.
 */
export type JournalRow = {
  [Name in Exclude<keyof JournalEntry, 'interrupted' | 'namespace' | 'changes'> as Column<Name>]: Stored<
    JournalEntry[Name]
  >;
} & { ns: string; changes: string | null };

/** One link of a chain: the first or the second half of a record. */
export interface LinkRow {
  /** Of all links, in the order of commits, from 1. */
  pos: number;
  chain: string;
  /** Within the chain, from 1. */
  n: number;
  /** sha256 of the half's canonical line, which names the hash of the link before it. */
  hash: string;
  record: string;
  part: 'begin' | 'end';
}

/** The last link of a chain. The row `*` counts the links of all chains. */
export interface ChainRow {
  id: string;
  n: number;
  hash: string;
}

/** Heads of chains as the installation's key signed them at one moment. See store/anchors.ts. */
export interface AnchorRow {
  /** From 1. */
  n: number;
  /** Every link up to this position is covered by this anchor and those before it. */
  pos: number;
  /** The signed text, as external sinks get it. */
  entry: string;
}

/** Where a chain begins whose first links were removed by retention: behind link `n`. */
export interface ChainMarkRow {
  chain: string;
  n: number;
  /** Hash of link `n`. */
  hash: string;
  /** The signed text. */
  entry: string;
}

export interface BundleRow {
  cluster: string;
  operation: string;
  id: string;
  size: number;
  sha256: string;
  created_at: string;
}

export interface BundlePieceRow {
  bundle: string;
  n: number;
  /** Deflated. */
  data: Uint8Array;
  /** Of `data` as it is stored. */
  sha256: string;
}

export interface BlobRow {
  sha256: string;
  /** Bytes before compression. */
  size: number;
  /** 'raw' or 'deflate'. */
  encoding: string;
  data: Uint8Array;
  /** sha256 of `data` as it is stored: a compressed text has more than one form. Null: from before there was this. */
  data_sha256: string | null;
  /** When it was last stored, within an hour; null: before there was retention. */
  used_at: string | null;
}

export interface ClusterRow {
  name: string;
  spec_ref: string;
  state: string;
  kubernetes_version: string;
  hosts: number;
  latest_operation: string | null;
  created_at: string;
  updated_at: string;
  /** JSON of what was last seen of its health; null: not checked yet. */
  health: string | null;
  /** Its state, to count by. */
  health_state: string | null;
}

export interface OperationRow {
  cluster: string;
  id: string;
  kind: string;
  mode: string;
  state: string;
  actor: string;
  spec_ref: string;
  queued_at: string;
  started_at: string | null;
  ended_at: string | null;
  /** OperationStatus without its tasks, as JSON. */
  status: string;
  updated_at: string;
  /** OperationTraits of its kind, as JSON; null: an earlier version wrote the row. */
  traits: string | null;
  /** `effect` of the traits, for queries. */
  effect: string;
}

export interface TaskRow {
  cluster: string;
  operation: string;
  /** `<phase>:<host>` */
  task: string;
  /** Place in the order of the plan. */
  position: number;
  state: string;
  /** TaskStatus as JSON. */
  status: string;
}

/** The plan of an operation. */
export interface PlanRow {
  cluster: string;
  operation: string;
  /** Plan as deflated JSON. */
  data: Uint8Array;
  created_at: string;
}

/** What one start of a task changed, or in a dry run would change. */
export interface TaskChangesRow {
  cluster: string;
  operation: string;
  /** `<phase>:<host>` */
  task: string;
  /** From 1. */
  round: number;
  /** Of all; `data` has the first of them. */
  change_count: number;
  /** Change[] as deflated JSON. */
  data: Uint8Array;
}

export interface QuarantineRow {
  cluster: string;
  host: string;
  /** QuarantinedHost as JSON. */
  record: string;
}

export interface EventRow {
  /** The SSE event id: `E` and the position, which grows in the order of commits; a ulid in rows of earlier versions. */
  id: string;
  cluster: string;
  operation: string;
  type: string;
  data: string;
  created_at: string;
}

/** One row, `*`. */
export interface EventLogRow {
  name: string;
  /** Of the newest event. */
  position: number;
  /** The greatest id that retention removed, or ''. */
  removed_to: string;
}

export interface RequestRow {
  scope: string;
  request_id: string;
  body_sha256: string;
  /** What the first request was answered with; null until it was. */
  answer: string | null;
  created_at: string;
}

/** What is remembered of a cluster from one operation to the next. */
export interface ClusterStateRow {
  cluster: string;
  name: string;
  text: string;
  noted_at: string;
}

/** Where a host of a stored spec is: HostAddress of contracts/host-addresses.ts. */
export interface SpecAddressRow {
  spec_ref: string;
  host: string;
  via: string;
  address: string;
  port: number;
  /** 1: a DNS name, 0: an IPv4 address. */
  is_name: number;
}

/** A submission under way: it reserves the addresses of its spec before the operation exists. */
export interface ReservationRow {
  cluster: string;
  spec_ref: string;
  reserved_at: string;
}

/** A process of the installation, as it last wrote of itself. */
export interface ProcessRow {
  id: string;
  kind: string;
  state: string;
  seen_at: string;
}

/** A command of an API that an entity took. */
export interface TakenCommandRow {
  cluster: string;
  command: string;
  request_id: string;
  owner: string;
  operation: string;
  taken_at: string;
}

/** An operation that was open before payloads were sealed for a place. */
export interface UnsignedOperationRow {
  cluster: string;
  id: string;
}

export interface Tables {
  specs: SpecRow;
  secrets: SecretRow;
  host_keys: HostKeyRow;
  login_approvals: LoginApprovalRow;
  tokens: TokenRow;
  login_codes: LoginCodeRow;
  sessions: SessionRow;
  journal: JournalRow;
  links: LinkRow;
  chains: ChainRow;
  anchors: AnchorRow;
  chain_marks: ChainMarkRow;
  bundles: BundleRow;
  bundle_pieces: BundlePieceRow;
  blobs: BlobRow;
  clusters: ClusterRow;
  operations: OperationRow;
  tasks: TaskRow;
  plans: PlanRow;
  task_changes: TaskChangesRow;
  quarantine: QuarantineRow;
  events: EventRow;
  event_log: EventLogRow;
  requests: RequestRow;
  notes: ClusterStateRow;
  spec_addresses: SpecAddressRow;
  reservations: ReservationRow;
  processes: ProcessRow;
  taken_commands: TakenCommandRow;
  unsigned_operations: UnsignedOperationRow;
}
