/** What a value nested deeper is no longer taken for: a literal. */
const DEPTH = 16;

const NAMES = new Map<string, unknown>([
  ['True', true],
  ['False', false],
  ['None', null],
]);
const ESCAPES = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
]);

/**
 * A value as Ansible reads it in an INI inventory: a literal of Python (text in quotes, number, True, list, dict), with or
 * without a comment behind it, or else the text as it stands.
 */
export function ansibleValue(text: string): unknown {
  const reader = new LiteralReader(text);
  const value = reader.value(0);
  return value !== NONE && reader.isAtEnd() ? value : text;
}

const NONE = Symbol('no literal');

class LiteralReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    this.#spaces();
    return this.#at >= this.#text.length || this.#text[this.#at] === '#';
  }

  value(depth: number): unknown {
    if (depth > DEPTH) return NONE;
    this.#spaces();
    const mark = this.#text[this.#at];
    if (mark === '"' || mark === "'") return this.#quoted(mark);
    if (mark === '[') return this.#list(']', depth);
    if (mark === '(') return this.#list(')', depth);
    if (mark === '{') return this.#dict(depth);
    return this.#word();
  }

  #spaces(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #quoted(mark: string): unknown {
    const parts: string[] = [];
    for (let at = this.#at + 1; at < this.#text.length; at += 1) {
      const character = this.#text[at]!;
      if (character === mark) {
        this.#at = at + 1;
        return parts.join('');
      }
      if (character === '\\') {
        at += 1;
        const escaped = this.#text[at] ?? '';
        parts.push(ESCAPES.get(escaped) ?? (escaped === mark || escaped === '\\' ? escaped : `\\${escaped}`));
      } else parts.push(character);
    }
    return NONE;
  }

  #list(end: string, depth: number): unknown {
    this.#at += 1;
    const items: unknown[] = [];
    for (;;) {
      this.#spaces();
      if (this.#text[this.#at] === end) {
        this.#at += 1;
        return items;
      }
      const item = this.value(depth + 1);
      if (item === NONE) return NONE;
      items.push(item);
      if (!this.#separated(end)) return NONE;
    }
  }

  #dict(depth: number): unknown {
    this.#at += 1;
    const members: [string, unknown][] = [];
    for (;;) {
      this.#spaces();
      if (this.#text[this.#at] === '}') {
        this.#at += 1;
        // Defines its keys: `__proto__` is one as any other.
        return Object.fromEntries(members);
      }
      const key = this.value(depth + 1);
      if (typeof key !== 'string' && typeof key !== 'number') return NONE;
      this.#spaces();
      if (this.#text[this.#at] !== ':') return NONE;
      this.#at += 1;
      const value = this.value(depth + 1);
      if (value === NONE) return NONE;
      members.push([String(key), value]);
      if (!this.#separated('}')) return NONE;
    }
  }

  /** A comma, or the end that follows. */
  #separated(end: string): boolean {
    this.#spaces();
    if (this.#text[this.#at] === end) return true;
    if (this.#text[this.#at] !== ',') return false;
    this.#at += 1;
    return true;
  }

  #word(): unknown {
    const pattern = /[^\s,\]})#:]+/y;
    pattern.lastIndex = this.#at;
    const word = pattern.exec(this.#text)?.[0];
    if (word === undefined) return NONE;
    this.#at += word.length;
    if (NAMES.has(word)) return NAMES.get(word);
    if (!/^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$/.test(word)) return NONE;
    return Number(word);
  }
}
