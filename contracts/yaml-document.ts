import {
  type Alias,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
  type YAMLParseError,
  type YAMLWarning,
} from 'yaml';
import { type DocumentBounds, DocumentCount, malformed, TOO_DEEP, tooComplex } from './document-bounds.ts';

/**
 * One YAML document as plain data. Throws SPEC_MALFORMED and DOCUMENT_TOO_COMPLEX, with line and column. The parser's own
 * check for keys that are there twice compares each with each: ours is a set.
 */
export function parseYaml(text: string, bounds: DocumentBounds): unknown {
  refuseManyTokens(text, bounds);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    strict: true,
    uniqueKeys: false,
    version: '1.2',
    merge: false,
    // Tags of YAML 1.1 make sets, dates and merge keys: nothing that JSON knows, and nothing that a schema here expects.
    resolveKnownTags: false,
    lineCounter,
    prettyErrors: false,
  });
  const place = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return `line ${line}, column ${col}`;
  };
  // A warning is an unknown tag: its value would not be what its author meant.
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) throw malformed(`${place(problem.pos[0])}: ${describe(problem)}`, problem);
  // With another version `yes` is a boolean, `1:30` a number, and `<<` copies what an alias holds.
  const { version } = document.directives?.yaml ?? {};
  if (version !== undefined && version !== '1.2') throw malformed(`a document of YAML ${version}; send YAML 1.2`);
  if (document.contents) new Measure(bounds, new DocumentCount(bounds, place)).node(document.contents, 1);
  try {
    return document.toJS({ maxAliasCount: bounds.aliases });
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw malformed(error instanceof Error ? error.message.slice(0, 200) : 'the anchors cannot be resolved', error);
  }
}

/** Some messages of the parser are for programmers; these replacements are for the author of a document. */
function describe(problem: YAMLParseError | YAMLWarning): string {
  if (problem.code === 'MULTIPLE_DOCS') return 'a second document begins; send one at a time';
  if (/call stack/.test(problem.message)) return TOO_DEEP;
  return problem.message.split('\n')[0]!.slice(0, 200);
}

/** What stands before each scalar in the lexer's output, and the marks that begin an item or a collection. */
const NODE_TOKENS = new Set(['\u001f', '[', '{', '-', ',', '?', ':', '|', '>']);

/** Before any node of the document is made: a node takes some hundred bytes, its text perhaps two. */
function refuseManyTokens(text: string, bounds: DocumentBounds): void {
  let tokens = 0;
  let open = 0;
  for (const token of new Lexer().lex(text)) {
    const [mark = ''] = token;
    if (NODE_TOKENS.has(mark) || mark === '"' || mark === "'") tokens += 1;
    if (token === '[' || token === '{') open += 1;
    else if (token === ']' || token === '}') open -= 1;
    if (open > bounds.depth) throw malformed(TOO_DEEP);
    // A member has a key, a colon, a value, and in a list a dash or comma.
    if (tokens > 4 * bounds.values) throw tooComplex(`the document holds more than ${bounds.values} values`);
  }
}

/** Walks the nodes of a document, each once; an alias counts as much as its anchor holds. */
class Measure {
  readonly #bounds: DocumentBounds;
  readonly #count: DocumentCount;
  readonly #anchors = new Map<string, number>();
  #aliases = 0;

  constructor(bounds: DocumentBounds, count: DocumentCount) {
    this.#bounds = bounds;
    this.#count = count;
  }

  node(node: Node | null | undefined, depth: number): void {
    const offset = node?.range?.[0] ?? 0;
    const before = this.#count.values;
    if (isAlias(node)) return this.#alias(node, offset);
    this.#count.add(offset);
    if (isScalar(node)) {
      if (typeof node.value === 'string') this.#count.text(node.value.length, offset);
    } else if (isCollection(node)) {
      this.#count.depth(depth, offset);
      if (isMap(node)) this.#map(node, depth);
      else for (const item of node.items) this.node(item as Node | null, depth + 1);
    }
    const anchor = (node as { anchor?: string } | null | undefined)?.anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, this.#count.values - before);
  }

  #alias(alias: Alias, offset: number): void {
    this.#aliases += 1;
    if (this.#aliases > this.#bounds.aliases) {
      throw tooComplex(`the document holds more than ${this.#bounds.aliases} aliases`);
    }
    const size = this.#anchors.get(alias.source);
    if (size === undefined) throw malformed(`the alias \`${alias.source.slice(0, 64)}\` stands inside its own anchor`);
    this.#count.add(offset, size);
  }

  #map(map: YAMLMap, depth: number): void {
    const keys = new Set<string>();
    for (const { key, value } of map.items as Pair<Node | null, Node | null>[]) {
      const offset = key?.range?.[0] ?? 0;
      if (key !== null && !isScalar(key))
        throw malformed('a key must be plain text, not a list, an object or an alias');
      const text = textOf(key?.value);
      this.#count.text(text.length, offset);
      this.#count.key(keys, text, offset);
      if (key?.anchor !== undefined) this.#anchors.set(key.anchor, 1);
      this.node(value, depth + 1);
    }
  }
}

/** A scalar key as the object's key that it becomes. */
const textOf = (value: unknown): string =>
  value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value);
