import { type DocumentBounds, DocumentCount, malformed, type PlaceOf } from './document-bounds.ts';

/** A number or word of JSON at an offset (RFC 8259). */
const WORD = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;
const ESCAPED = new Set('"\\/bfnrt');
const HEX4 = /[0-9a-fA-F]{4}/y;

/** JSON text as plain data, in time linear in its length. Throws SPEC_MALFORMED and DOCUMENT_TOO_COMPLEX with the place. */
export function parseJson(text: string, bounds: DocumentBounds): unknown {
  const place = placeIn(text);
  const problem = scanJson(text, new DocumentCount(bounds, place));
  if (problem !== null) {
    const found =
      problem >= text.length ? 'the document ends too early' : `unexpected ${JSON.stringify(text[problem])}`;
    throw malformed(`${place(problem)}: ${found}`);
  }
  return JSON.parse(text) as unknown;
}

const placeIn =
  (text: string): PlaceOf =>
  (offset) => {
    const before = text.slice(0, offset);
    const lineStart = before.lastIndexOf('\n') + 1;
    return `line ${before.split('\n').length}, column ${offset - lineStart + 1}`;
  };

/**
 * Reads the text once, from left to right. Returns the offset where it stops being JSON (its length when it only ends
 * too early), null when all of it is. `count` throws at what is beyond its bounds, and at a key that is there twice:
 * JSON.parse lets the last one win, which is never intended.
 */
export function scanJson(text: string, count: DocumentCount): number | null {
  /** The keys of each open object; null for a list. */
  const open: (Set<string> | null)[] = [];
  let expects: 'value' | 'key' | 'first-key' | 'first-item' | 'colon' | 'next' = 'value';
  let offset = 0;
  for (;;) {
    offset = behindSpace(text, offset);
    const char = text[offset];
    if (char === undefined) return expects === 'next' && open.length === 0 ? null : text.length;
    const keys = open.at(-1);
    if (expects === 'next' || ((expects === 'first-key' || expects === 'first-item') && isClose(char, keys))) {
      if (isClose(char, keys)) {
        open.pop();
        expects = 'next';
      } else if (char === ',' && keys !== undefined) {
        expects = keys === null ? 'value' : 'key';
      } else {
        return offset;
      }
      offset += 1;
    } else if (expects === 'colon') {
      if (char !== ':') return offset;
      expects = 'value';
      offset += 1;
    } else if (expects === 'key' || expects === 'first-key') {
      const end = char === '"' ? behindText(text, offset) : null;
      if (end === null) return offset;
      count.text(end - offset - 2, offset);
      const word = text.slice(offset, end);
      // An escape can spell the same key in another way.
      count.key(keys!, word.includes('\\') ? (JSON.parse(word) as string) : word.slice(1, -1), offset);
      expects = 'colon';
      offset = end;
    } else if (char === '{' || char === '[') {
      count.add(offset);
      open.push(char === '{' ? new Set() : null);
      count.depth(open.length, offset);
      expects = char === '{' ? 'first-key' : 'first-item';
      offset += 1;
    } else {
      const end = char === '"' ? behindText(text, offset) : behindWord(text, offset);
      if (end === null) return offset;
      count.add(offset);
      if (char === '"') count.text(end - offset - 2, offset);
      expects = 'next';
      offset = end;
    }
  }
}

const isClose = (char: string, keys: Set<string> | null | undefined): boolean =>
  keys === null ? char === ']' : keys !== undefined && char === '}';

function behindSpace(text: string, from: number): number {
  let offset = from;
  while (' \t\r\n'.includes(text[offset] ?? 'x')) offset += 1;
  return offset;
}

function behindWord(text: string, from: number): number | null {
  WORD.lastIndex = from;
  return WORD.test(text) ? WORD.lastIndex : null;
}

/** The offset behind the text that begins at `from` with a quote; null when it is none. Not a regex: texts may be long. */
function behindText(text: string, from: number): number | null {
  for (let offset = from + 1; offset < text.length; offset += 1) {
    const code = text.charCodeAt(offset);
    if (code === 0x22) return offset + 1;
    if (code < 0x20) return null;
    if (code !== 0x5c) continue;
    offset += 1;
    if (text[offset] === 'u') {
      HEX4.lastIndex = offset + 1;
      if (!HEX4.test(text)) return null;
      offset += 4;
    } else if (!ESCAPED.has(text[offset] ?? '')) {
      return null;
    }
  }
  return null;
}
