/** What stands where a secret was. */
export const MASK = '[redacted]';

/** Shorter values are not masked: they would match everywhere and hide the output rather than the secret. */
const SHORTEST = 4;
/** Inside base64 of a longer text only the middle of a value's encoding is fixed; shorter pieces are not telling. */
const SHORTEST_BASE64 = 8;
/** Single lines of a many-line secret (keys) are masked too, from this length on. */
const SHORTEST_LINE = 16;
/** Pieces of a secret at the edge of a cut text are masked from this length on. */
const SHORTEST_PIECE = 8;

/** Masks secret values in text, in the forms in which commands print them. */
export interface Redactor {
  text(text: string): string;
  /** Also masks pieces of a secret at both ends: for text that was cut out of a longer one. */
  cut(text: string): string;
  /** For text that comes in chunks: holds back what might be the beginning of a secret. Call `end` for the rest. */
  stream(): { push(chunk: string): string; end(): string };
  /** The same with more values. */
  with(more: readonly string[]): Redactor;
}

/**
 * A redactor for these values: as they are, quoted for sh, bash or JSON (once and twice), URL-encoded, base64 (any
 * alignment), hex.
 */
export function createRedactor(values: readonly string[]): Redactor {
  const kept = [...new Set(values.filter((value) => value.length >= SHORTEST))];
  const forms = [...new Set(kept.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  const longest = forms[0]?.length ?? 0;
  const pattern = forms.length === 0 ? null : new RegExp(forms.map(escapeRegExp).join('|'), 'g');
  const text = (input: string): string => (pattern === null ? input : input.replace(pattern, MASK));

  return {
    text,
    cut(input) {
      let masked = text(input);
      for (const form of forms) masked = maskEdges(masked, form);
      return masked;
    },
    stream() {
      let pending = '';
      const push = (chunk: string): string => {
        if (pattern === null) return chunk;
        pending += chunk;
        // Masked as far as no match that begins before the boundary could still grow or change.
        let boundary = Math.max(0, pending.length - longest + 1);
        for (const match of pending.matchAll(pattern)) {
          const end = match.index + match[0].length;
          if (match.index < boundary && end > boundary) boundary = match.index;
        }
        const out = text(pending.slice(0, boundary));
        pending = pending.slice(boundary);
        return out;
      };
      const end = (): string => {
        const out = text(pending);
        pending = '';
        return out;
      };
      return { push, end };
    },
    with: (more) => createRedactor([...kept, ...more]),
  };
}

function formsOf(value: string): string[] {
  const bytes = Buffer.from(value, 'utf8');
  const json = JSON.stringify(value).slice(1, -1);
  const hex = bytes.toString('hex');
  const forms = [
    value,
    value.trim(),
    json,
    JSON.stringify(json).slice(1, -1),
    value.replaceAll("'", `'\\''`),
    // bash: $'...' and printf %q.
    value.replaceAll('\\', '\\\\').replaceAll("'", "\\'"),
    value.replace(/[^A-Za-z0-9_@%+=:,./\n-]/g, '\\$&'),
    encodeURIComponent(value.toWellFormed()),
    hex,
    hex.toUpperCase(),
    ...base64Forms(bytes),
  ];
  if (value.includes('\n')) {
    forms.push(...value.split(/\r?\n/).filter((line) => line.length >= SHORTEST_LINE && !line.startsWith('-----')));
  }
  return forms.filter((form) => form.length >= SHORTEST);
}

/** The value's part of the base64 of any text around it: one form for each of the three alignments, two alphabets. */
function base64Forms(bytes: Buffer): string[] {
  const padded = bytes.toString('base64');
  const forms = [padded, padded.replace(/=+$/, '')];
  // base64(1) wraps at 76 characters, openssl at 64.
  for (const width of [76, 64]) {
    for (let at = 0; padded.length > width && at < padded.length; at += width) {
      const line = padded.slice(at, at + width);
      if (line.length >= SHORTEST_LINE) forms.push(line);
    }
  }
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // The first characters mix with what stands before, the last one with what follows.
    const start = before === 0 ? 0 : before + 1;
    const whole = (before + bytes.length) % 3 === 0;
    const inner = encoded.slice(start, whole ? encoded.length : -1);
    if (inner.length >= SHORTEST_BASE64) forms.push(inner);
  }
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

/** Before a text whose beginning was cut off (evidenceTail). */
const ELLIPSIS = '...';

/** Masks the longest end of the text that begins the form, and the longest beginning that ends it. */
function maskEdges(text: string, form: string): string {
  if (text.startsWith(ELLIPSIS)) return ELLIPSIS + maskEdges(text.slice(ELLIPSIS.length), form);
  let masked = text;
  for (let length = Math.min(form.length - 1, masked.length); length >= SHORTEST_PIECE; length -= 1) {
    if (masked.endsWith(form.slice(0, length))) {
      masked = masked.slice(0, -length) + MASK;
      break;
    }
  }
  for (let length = Math.min(form.length - 1, masked.length); length >= SHORTEST_PIECE; length -= 1) {
    if (masked.startsWith(form.slice(-length))) {
      masked = MASK + masked.slice(length);
      break;
    }
  }
  return masked;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
