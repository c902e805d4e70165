import { KubewrightError } from '../../contracts/errors.ts';
import { digestOfParts, octal, sha256 } from './digest.ts';
import { type FileState, fileStateProbe, parseFileState } from './file-state.ts';
import { JSON_FUNCTIONS } from './json-edit-script.ts';
import { entryKey, type LedgerEntry } from './ledger.ts';
import { absolute } from './path-check.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface JsonKeysResource extends Resource {
  readonly kind: 'json-keys';
  /** Each member with a value that is no object, by its keys from the top down. */
  readonly members: readonly Member[];
  readonly fills?: readonly string[];
}

interface Member {
  readonly keys: readonly string[];
  readonly value: Json;
}

interface JsonState {
  file: FileState;
  /** Null: there is no such file. */
  text: string | null;
}

/** Settings of a daemon; what is larger is not one. */
const MAX_BYTES = 64 * 1024;
/** Before the content in the output of the probe. */
const TEXT = '--- text';

/**
 * Members of a JSON object in a file that others write as well: ours are kept as given, the others are left as they are. Objects
 * are descended into, arrays are one value. A teardown, or a value that is no longer desired, gives back what each member was
 * before. A file that is no JSON object is refused: CONFIG_BROKEN, with the place. Throws an Error for an empty object in `values`.
 * `fills`: what the daemon that reads it writes, as of a service; for one that its package starts, before its unit can be known.
 */
export function jsonKeys(
  path: string,
  values: Readonly<Record<string, Json | undefined>>,
  { fills }: { fills?: readonly string[] } = {},
): JsonKeysResource {
  const members = membersOf(values, []);
  return { kind: 'json-keys', id: absolute(path), members, ...(fills ? { fills: fills.map(absolute) } : {}) };
}

function membersOf(values: Readonly<Record<string, Json | undefined>>, above: readonly string[]): Member[] {
  return Object.entries(values).flatMap(([key, value]): Member[] => {
    if (value === undefined) return [];
    const keys = [...above, key];
    if (!isObject(value)) return [{ keys, value }];
    if (Object.keys(value).length === 0) throw new Error(`${keys.join('.')} is an empty object: it would own nothing`);
    return membersOf(value, keys);
  });
}

const isObject = (value: unknown): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const same = (one: Json | undefined, other: Json): boolean => JSON.stringify(one) === JSON.stringify(other);

/**
 * The member, how many of the objects around it there are, and what stands in the place of the next one: a value that is no
 * object and has to go.
 */
function find(document: Json, keys: readonly string[]): { value?: Json; depth: number; instead?: Json } {
  let at: Json = document;
  for (const [depth, key] of keys.entries()) {
    if (!isObject(at)) return { depth, instead: at };
    if (!Object.hasOwn(at, key)) return { depth };
    at = at[key]!;
  }
  return { value: at, depth: keys.length };
}

function withMember(document: Json, [key, ...rest]: readonly string[], value: Json): Json {
  const object = isObject(document) ? document : {};
  if (key === undefined) return value;
  return { ...object, [key]: withMember(Object.hasOwn(object, key) ? object[key]! : {}, rest, value) };
}

/** The file as an object. Throws CONFIG_BROKEN. */
function documentOf({ id }: JsonKeysResource, { file, text }: JsonState): { readonly [key: string]: Json } {
  const broken = (what: string, evidence: string) =>
    new KubewrightError('CONFIG_BROKEN', `${id} ${what}`, { evidence });
  if (text === null) return {};
  if (file.type !== 'file') throw broken(`is a ${file.type}`, `stat ${id}: ${file.type}`);
  // An empty file is what some packages bring.
  if (text.trim() === '') return {};
  try {
    const parsed = JSON.parse(text) as Json;
    if (!isObject(parsed)) throw broken('has no JSON object', text.slice(0, 200));
    return parsed;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const place = placeOf(error, text);
    throw broken(`is no JSON: ${place}`, `${place}: ${error.message}`);
  }
}

/** Line and column of a mistake in a JSON text. */
function placeOf({ message }: SyntaxError, text: string): string {
  const [, digits] = /at position (\d+)/.exec(message) ?? [];
  const position = digits === undefined ? text.length : Number(digits);
  const before = text.slice(0, position).split('\n');
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
}

function desired(resource: JsonKeysResource, state: JsonState): string {
  let document: Json = documentOf(resource, state);
  const stale = resource.members.filter(({ keys, value }) => !same(find(document, keys).value, value));
  if (stale.length === 0 && state.text !== null) return state.text;
  for (const { keys, value } of stale) document = withMember(document, keys, value);
  return `${JSON.stringify(document, null, 2)}\n`;
}

const memberId = (path: string, keys: readonly string[]): string => `${path}#${JSON.stringify(keys)}`;
const nameOf = (keys: readonly string[]): string => keys.join('.');

export default defineKind<JsonKeysResource, JsonState>({
  kind: 'json-keys',
  probe: ({ id }, quote) => {
    const path = quote(id);
    return [
      fileStateProbe(id, quote),
      `echo '${TEXT}'`,
      `if [ -f ${path} ] && [ ! -L ${path} ]; then`,
      `  [ "$(wc -c <${path})" -le ${MAX_BYTES} ] || kw_unknown ${quote(`${id} is larger than ${MAX_BYTES} bytes`)}`,
      // The line end after it shows that the whole file was read.
      `  cat -- ${path} || kw_unknown ${quote(`${id} cannot be read`)}`,
      '  echo',
      'fi',
    ].join('\n');
  },
  parse(output) {
    const [stat = '', rest] = output.split(`${TEXT}\n`);
    const file = parseFileState(stat);
    if (file.type !== 'file') return { file, text: file.type === 'absent' ? null : '' };
    if (!rest?.endsWith('\n')) throw new Unknown('the file was not read to its end');
    return { file, text: rest.slice(0, -1) };
  },
  diff(resource, state) {
    const document = documentOf(resource, state);
    const details = resource.members.flatMap(({ keys, value }) => {
      const { value: now } = find(document, keys);
      return same(now, value)
        ? []
        : [`${nameOf(keys)} ${now === undefined ? '(none)' : JSON.stringify(now)} → ${JSON.stringify(value)}`];
    });
    if (details.length === 0 && state.text !== null) return [];
    const action = state.text === null ? 'create' : 'update';
    return [{ resource: resourceKey(resource), action, detail: details.join(', ') || 'new file' }];
  },
  fragment(resource, state, { quote, payload }) {
    const text = desired(resource, state);
    const { mode, owner, group } = state.text === null ? { mode: 0o644, owner: 'root', group: 'root' } : state.file;
    return {
      script: `put ${payload(text)} ${quote(resource.id)} ${octal(mode)} ${quote(owner)} ${quote(group)} ${sha256(text)}`,
    };
  },
  ledgerEntries(resource, state) {
    const { id, members } = resource;
    const document: Json = state === null ? {} : documentOf(resource, state);
    const entries = members.flatMap(({ keys, value }) => {
      const { value: was, depth, instead } = find(document, keys);
      if (state !== null && same(was, value)) return [];
      // `made`: how many of the objects around it are made for it.
      const prior = was === undefined ? { made: Math.max(0, keys.length - 1 - depth) } : { was };
      return [
        ...(instead === undefined ? [] : [{ id: memberId(id, keys.slice(0, depth)), prior: { was: instead } }]),
        { id: memberId(id, keys), prior: state === null ? {} : prior },
      ];
    });
    return [{ prior: {}, replaces: [id], fills: resource.fills ?? [] }, ...entries];
  },
  owns: ({ id, members, fills = [] }, entry) => {
    if (entry.kind === 'leftover') return fills.some((path) => entry.id === path || entry.id.startsWith(`${path}/`));
    if (entry.kind !== 'json-keys') return false;
    const ids = members.flatMap(({ keys }) => keys.map((_, index) => memberId(id, keys.slice(0, index + 1))));
    return [id, ...ids].includes(entry.id);
  },
  undo: (entries, { quote }) => {
    const [first] = entries;
    if (!first) return [];
    return entries.map((entry) => ({
      key: entryKey(entry),
      script: `${JSON_FUNCTIONS}\n${entry.id.includes('#') ? undoMember(entry, quote) : undoFile(entry.id, quote)}`,
    }));
  },
  dry: 'together',
  digest: ({ id, members }) =>
    digestOfParts([id, ...members.flatMap(({ keys, value }) => [nameOf(keys), JSON.stringify(value)])]),
});

type Quote = (word: string) => string;

/** One member becomes what it was; objects that were made for it go when nothing else is in them. */
function undoMember({ id, prior }: LedgerEntry, quote: Quote): string {
  const at = id.indexOf('#');
  const path = quote(id.slice(0, at));
  const keys = JSON.parse(id.slice(at + 1)) as string[];
  const words = (some: readonly string[]) => quote(some.map((key) => JSON.stringify(key)).join('\n'));
  const { was, made = 0 } = (prior ?? {}) as { was?: Json; made?: number };
  const around = Array.from({ length: made }, (_, index) => keys.slice(0, keys.length - 1 - index));
  const say =
    was === undefined
      ? `kw_tell removed ${quote(nameOf(keys))}`
      : `kw_tell restored ${quote(`${nameOf(keys)} ${JSON.stringify(was)}`)}`;
  // The x keeps line ends at the end of the text.
  return `[ -f ${path} ] || exit 0
kw_old=$(cat -- ${path} && echo x) || exit 1
kw_text=$(printf '%s' "\${kw_old%x}" | kw_json_edit ${words(keys)} ${quote(was === undefined ? '' : JSON.stringify(was))} && echo x) ||
  { kw_tell kept 'the file is no JSON by now'; exit 0; }
${around.map((some) => `kw_text=$(printf '%s' "\${kw_text%x}" | kw_json_edit ${words(some)} '' only-empty && echo x) || exit 1`).join('\n')}
[ "$kw_text" != "$kw_old" ] || exit 0
if [ -z "$KW_DRY" ]; then
  kw_new=${path}.kubewright-new
  cp -p -- ${path} "$kw_new" && printf '%s' "\${kw_text%x}" >"$kw_new" && mv -f -T -- "$kw_new" ${path} || exit 1
fi
${say}`;
}

/** After its members: the file goes when it is empty and was not there before, and gets its own form back when it says what it said. */
function undoFile(path: string, quote: Quote): string {
  const word = quote(path);
  return `[ -z "$KW_DRY" ] && [ -f ${word} ] || exit 0
kw_copy=$(kw_copy_of ${word})
kw_json_edit '""' '' <${word} >/dev/null || { kw_tell kept 'it is no JSON by now'; exit 0; }
kw_now=$(kw_json_compact <${word})
if [ -f "$kw_copy" ]; then
  kw_was=$(kw_json_compact <"$kw_copy") || exit 0
  if [ "$kw_now" = "$kw_was" ] || { [ "$kw_now" = '{}' ] && [ -z "$kw_was" ]; }; then kw_take_back ${word}; fi
elif [ "$kw_now" = '{}' ]; then rm -f -- ${word} && kw_tell removed ${word}
else kw_tell kept 'it has members that Kubewright did not place'
fi`;
}
