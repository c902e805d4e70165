/** One JSON token after white space (RFC 8259). Strings without raw control characters. */
const TOKEN =
  // oxlint-disable-next-line no-control-regex -- JSON forbids them raw in strings
  /[ \t\r\n]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y;

/**
 * Where a text stops being JSON, as an offset; its length when it only ends too early. V8's parser does not say.
 * To be asked of texts that JSON.parse refused.
 */
export function jsonErrorOffset(text: string): number {
  const closers: string[] = [];
  let expects: 'value' | 'key' | 'first-key' | 'first-item' | 'colon' | 'next' = 'value';
  let offset = 0;
  const skipSpace = () => {
    while (' \t\r\n'.includes(text[offset] ?? 'x')) offset += 1;
    return offset;
  };
  for (;;) {
    TOKEN.lastIndex = offset;
    const [, mark, word, other] = TOKEN.exec(text) ?? [];
    if (mark === undefined && word === undefined && other === undefined) return skipSpace();
    const end = TOKEN.lastIndex;
    const closes = mark !== undefined && mark === closers.at(-1);
    if ((expects === 'next' || expects === 'first-item' || expects === 'first-key') && closes) {
      closers.pop();
      expects = 'next';
    } else if (expects === 'next') {
      if (mark !== ',' || closers.length === 0) return skipSpace();
      expects = closers.at(-1) === '}' ? 'key' : 'value';
    } else if (expects === 'colon') {
      if (mark !== ':') return skipSpace();
      expects = 'value';
    } else if (expects === 'key' || expects === 'first-key') {
      if (word === undefined) return skipSpace();
      expects = 'colon';
    } else if (mark === '{' || mark === '[') {
      closers.push(mark === '{' ? '}' : ']');
      expects = mark === '{' ? 'first-key' : 'first-item';
    } else if (mark === undefined) {
      expects = 'next';
    } else {
      return skipSpace();
    }
    offset = end;
  }
}

/** The first key that an object of the text has twice. To be asked of texts that JSON.parse accepted. */
export function jsonDuplicateKey(text: string): { key: string; offset: number } | undefined {
  // One set of keys per open object; null for a list.
  const open: (Set<string> | null)[] = [];
  let expectsKey = false;
  TOKEN.lastIndex = 0;
  for (let found = TOKEN.exec(text); found; found = TOKEN.exec(text)) {
    const [, mark, word] = found;
    const keys = open.at(-1);
    if (mark === '{' || mark === '[') {
      open.push(mark === '{' ? new Set() : null);
      expectsKey = mark === '{';
    } else if (mark === '}' || mark === ']') {
      open.pop();
      expectsKey = false;
    } else if (mark === ',') {
      expectsKey = keys instanceof Set;
    } else if (word !== undefined && expectsKey && keys) {
      // An escape can spell the same key in another way.
      const key = JSON.parse(word) as string;
      if (keys.has(key)) return { key, offset: TOKEN.lastIndex - word.length };
      keys.add(key);
      expectsKey = false;
    }
  }
  return undefined;
}
