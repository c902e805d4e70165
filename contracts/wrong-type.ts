import type { z } from 'zod';
import { OPTION_TEXT } from './primitives.ts';
import { definitionsAt, keysAt } from './schema-walk.ts';

type Path = readonly PropertyKey[];

/** Fields whose value is never repeated in an answer, whatever its value is. */
const SECRET = /pass|secret|token|private|credential|key$/i;
/** Longest value, and most entries of a list or map, that are repeated. */
const MOST_CHARS = 64;
const MOST_ENTRIES = 8;

/**
 * One sentence for a value of another type than the schema has at the path: what it must be and, where that is certain,
 * how to write it. `expected` is zod's word for the type.
 */
export function wrongType(expected: string, value: unknown, path: Path, schema: z.ZodType): string {
  if (value === undefined) return 'is required';
  const form = FORMS[expected];
  const [rule, example] = form ? form(value, path, schema) : [`must be ${article(expected)}`];
  const key = String(path.at(-1) ?? '');
  if (example === undefined || SECRET.test(key)) return rule;
  return `${rule}: \`${typeof path.at(-1) === 'number' ? '- ' : `${key}: `}${example}\``;
}

/** The rule, and the value in its right form. */
type Form = (value: unknown, path: Path, schema: z.ZodType) => [rule: string, example?: string | undefined];

const number =
  (rule: string): Form =>
  (value) =>
    typeof value === 'string' && /^-?\d{1,15}$/.test(value.trim()) ? [`${rule}, without quotes`, value.trim()] : [rule];

const TRUTH: Readonly<Record<string, boolean>> = {
  ...{ true: true, yes: true, on: true, 1: true },
  ...{ false: false, no: false, off: false, 0: false },
};

const map: Form = (value, path, schema) => {
  const keys = keysAt(schema, path);
  const rule =
    keys.length > 0 ? `must be an object with keys such as ${keys.slice(0, 4).join(', ')}` : 'must be an object';
  if (value === null) return ['must be an object, and is empty: leave it out, or write', '{}'];
  if (keys.length > 0) return [rule];
  const words = plainWords(value);
  if (words === undefined) return [rule];
  const below = definitionsAt(schema, [...path, 'any']).map(({ type }) => type);
  if (below.includes('record') || below.includes('object')) {
    return [rule, `{ ${words.map((word) => `${word}: {}`).join(', ')} }`];
  }
  const pairs = words.map((word) => word.split('='));
  const whole = pairs.every((pair) => pair.length === 2);
  return whole ? [rule, `{ ${pairs.map(([key, text]) => `${key}: ${text || "''"}`).join(', ')} }`] : [rule];
};

const list: Form = (value, path, schema) => {
  if (value === null) return ['must be a list, and is empty'];
  const ofEntry = [...path, 0];
  const keys = keysAt(schema, ofEntry);
  if (keys.length > 0) {
    const rule = `must be a list of objects with keys such as ${keys.slice(0, 4).join(', ')}`;
    const first = isMap(value) && keys.includes('name') ? plainWords(Object.keys(value).slice(0, 1)) : undefined;
    return first ? [`${rule}; in place of each key an entry such as \`- name: ${first[0]}\``] : [rule];
  }
  const words = plainWords(isMap(value) ? Object.keys(value) : value);
  const known = definitionsAt(schema, ofEntry).flatMap(({ entries }) => Object.values(entries ?? {}));
  if (known.length === 0 || words?.every((word) => known.includes(word))) {
    return ['must be a list', words && `[${words.join(', ')}]`];
  }
  return [`must be a list of values out of ${known.slice(0, 40).join(', ')}`, `[${known[0]}]`];
};

const text: Form = (value) => {
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return ['must be a string, in quotes', `"${value}"`];
  if (typeof value === 'number') return ['must be a string, in quotes'];
  if (value === null) return ['must be a string, and is empty'];
  const words = Array.isArray(value) && value.length === 1 ? plainWords(value) : undefined;
  return words?.length === 1 ? ['must be one string, not a list', words[0]] : ['must be a string'];
};

const FORMS: Readonly<Record<string, Form>> = {
  array: list,
  object: map,
  record: map,
  string: text,
  int: number('must be a whole number'),
  number: number('must be a number'),
  boolean: (value) => {
    const meant = Object.hasOwn(TRUTH, String(value).toLowerCase()) ? TRUTH[String(value).toLowerCase()] : undefined;
    return meant === undefined ? ['must be true or false'] : ['must be true or false, without quotes', String(meant)];
  },
};

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The words of a text, divided by commas or blanks, or of a list of texts; undefined where they are not plain and few. */
function plainWords(value: unknown): string[] | undefined {
  const entries = Array.isArray(value) ? value : typeof value === 'string' ? value.split(/[\s,]+/) : [value];
  const words = entries.filter((each) => each !== '');
  const plain = (each: unknown): boolean =>
    typeof each === 'number' || (typeof each === 'string' && OPTION_TEXT.test(each) && !/[{}[\],]|: /.test(each));
  const fit = words.length > 0 && words.length <= MOST_ENTRIES && words.every(plain);
  return fit && words.join().length <= MOST_CHARS ? words.map(String) : undefined;
}

const article = (expected: string): string => (/^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`);
