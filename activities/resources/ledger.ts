import type { RemoteHost } from '../host/types.ts';
import { LEFTOVER_FUNCTIONS } from './leftover-script.ts';
import { LEDGER, LEDGER_DIR, LEDGER_PARTIAL, STAMP_DIR } from './paths.ts';

/** The state before our first change that a kind needs to undo it. JSON. */
export type Prior = Readonly<Record<string, unknown>>;

/**
 * A mark that a change of a resource leaves in the host's ledger, before it is made and only the first time.
 * `replaces`: paths whose present content is set aside. `makes`: folders. `fills`: what our daemons will write there;
 * ours but for what is there already.
 */
export interface Trace {
  /** Who undoes it, and what it is. Default: the resource itself. */
  readonly kind?: string;
  readonly id?: string;
  readonly prior: Prior;
  readonly replaces?: readonly string[];
  readonly makes?: readonly string[];
  readonly fills?: readonly string[];
}

/** One line of a host's ledger: something that Kubewright placed there. */
export interface LedgerEntry {
  readonly kind: string;
  readonly id: string;
  readonly phase: string;
  /** Null: placed by a version without a ledger, so what was there before is unknown. */
  readonly prior: Prior | null;
}

export interface Ledger {
  /** In the order of placing. */
  readonly entries: readonly LedgerEntry[];
  /** False: something was placed that is not in it, by a version without a ledger. */
  readonly complete: boolean;
}

export const entryKey = ({ kind, id }: Pick<LedgerEntry, 'kind' | 'id'>): string => `${kind}:${id}`;

/** A line for `kw_notes` (ledger-script.ts). */
export function ledgerLine(resource: { kind: string; id: string }, phase: string, trace: Trace): string {
  const key = entryKey({ kind: trace.kind ?? resource.kind, id: trace.id ?? resource.id });
  const places = [
    ...(trace.makes ?? []),
    ...(trace.replaces ?? []).map((path) => `=${path}`),
    ...(trace.fills ?? []).map((path) => `~${path}`),
  ];
  return `${[key, phase, JSON.stringify(trace.prior), ...places].join('\t')}\n`;
}

/** Read a host's ledger. A host without any trace of ours has an empty, complete one. Changes nothing. */
export async function readLedger(remote: RemoteHost): Promise<Ledger> {
  const { stdout } = await remote.script(READ, [], { maxOutputBytes: 16 * 1024 * 1024 });
  const [head = '', ...lines] = stdout.split('\n');
  return { entries: parseLedger(lines), complete: head === 'complete' };
}

const READ = `if [ -e ${LEDGER_PARTIAL} ]; then echo older
elif [ -d ${LEDGER_DIR} ]; then echo complete
else
  kw_state=complete
  for kw_f in ${STAMP_DIR}/unit.*; do [ ! -e "$kw_f" ] || kw_state=older; done
  echo "$kw_state"
fi
[ ! -f ${LEDGER} ] || cat -- ${LEDGER}
`;

/** The entries of a ledger's text: of each key the first, torn lines left out. */
export function parseLedger(lines: readonly string[]): LedgerEntry[] {
  const known = new Map<string, LedgerEntry>();
  for (const line of lines) {
    const [key = '', phase = '', prior = ''] = line.split('\t');
    const colon = key.indexOf(':');
    if (colon <= 0 || phase === '' || known.has(key)) continue;
    const parsed = parsePrior(prior);
    if (parsed) known.set(key, { kind: key.slice(0, colon), id: key.slice(colon + 1), phase, prior: parsed });
  }
  return [...known.values()];
}

function parsePrior(text: string): Prior | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Prior) : null;
  } catch {
    return null;
  }
}

/**
 * sh functions for undoing. Everything that was undone is printed: `<nonce> removed|restored|kept <key> TAB <words>`.
 * Nothing is said of what is gone already. `KW_KEY` is the entry at hand. With `KW_DRY` set, kinds that are `dry` change nothing.
 */
export const undoFunctions = (nonce: string): string => `set +e
export LC_ALL=C
KW_N=${nonce}
KW_DRY=
KW_GOING=
KW_GOING_TREES=
KW_KEPT=
kw_tell() {
  printf '%s %s %s\\t%s\\n' "$KW_N" "$1" "$KW_KEY" "$2"
  [ "$1" != kept ] || [ -z "$KW_KEPT" ] || printf '%s\\n' "$KW_KEY" >>"$KW_KEPT"
}
# kw_take_back <path>: what was set aside comes back, else the path goes
kw_take_back() {
  if [ -n "$KW_DRY" ]; then
    kw_copy=$(kw_copy_of "$1")
    if [ -e "$kw_copy" ] || [ -L "$kw_copy" ]; then kw_tell restored "$1 as it was"
    elif [ -e "$1" ] || [ -L "$1" ]; then kw_tell removed "$1"
    fi
    return 0
  fi
  rm -rf -- "\${1%/*}/.\${1##*/}.kubewright-new"
  kw_copy=$(kw_copy_of "$1")
  if [ -e "$kw_copy" ] || [ -L "$kw_copy" ]; then
    mkdir -p -- "\${1%/*}" && rm -rf -- "$1.kubewright-old" && cp -a -T -- "$kw_copy" "$1.kubewright-old" &&
      mv -f -T -- "$1.kubewright-old" "$1" || return 1
    kw_tell restored "$1 as it was"
  elif [ -e "$1" ] || [ -L "$1" ]; then
    rm -f -- "$1" || return 1
    kw_tell removed "$1"
  fi
}
# kw_remove_folder <path>: unless something is in it that we did not place
kw_remove_folder() {
  if [ -L "$1" ]; then kw_tell kept "it is a link by now, to $(readlink -m -- "$1")"; return 0; fi
  [ -d "$1" ] || return 0
  if [ -n "$KW_DRY" ]; then
    kw_left=$(kw_tree "$1" | kw_staying "$1" yes | head -n 1)
    if [ -z "$kw_left" ]; then kw_tell removed "$1"; return 0; fi
  else
    if rmdir -- "$1" 2>/dev/null; then kw_tell removed "$1"; return 0; fi
    [ -n "$(ls -A -- "$1")" ] || { rmdir -- "$1"; return 1; }
  fi
  kw_tell kept "it holds what Kubewright did not place: $(ls -A -- "$1" | head -n 5 | tr '\n\t' '  ')"
}
${LEFTOVER_FUNCTIONS}`;

/** Paths that an entry is about; none of a package, an account or a setting. A service's own file is `<unit>#<path>`. */
export function pathsOf({ kind, id }: LedgerEntry): string[] {
  if (kind === 'service') return id.includes('#') ? [id.slice(id.indexOf('#') + 1)] : [];
  return id.startsWith('/') ? [id] : [];
}
