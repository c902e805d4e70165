import type { z } from 'zod';
import { unknownWord } from './nearest.ts';
import { definitionsAt, keysAt, nestedKey, valueAt } from './schema-walk.ts';
import { wrongType } from './wrong-type.ts';

/** A problem of one field, in words. */
export interface FieldIssue {
  /** Such as `spec.hosts[2].roles[0]`. */
  path: string;
  message: string;
}

type Path = readonly PropertyKey[];
type Issue = z.core.$ZodIssue;

/** More problems than this are no help: the rest is cut before any of it is put into words. */
const ISSUES = 100;
/** Parts of a path that are shown: no schema of ours is deeper. */
const PATH_PARTS = 32;

/** `['spec', 'hosts', 2]` as `spec.hosts[2]`. */
export function formatPath(path: Path): string {
  return path
    .slice(0, PATH_PARTS)
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part).slice(0, 64)}`,
    )
    .join('');
}

/**
 * zod's issues in the words of a person: unknown keys and values with the nearest known one, and of a union only what
 * the caller most likely meant. `schema` and `input` are what was parsed; `prefix` is where that stands in the document.
 */
export function describeIssues(error: z.ZodError, schema: z.ZodType, input: unknown, prefix: Path = []): FieldIssue[] {
  return described(error.issues, schema, input, prefix, []);
}

/** The first ISSUES of them in words; no more are looked at. */
function described(
  issues: readonly Issue[],
  schema: z.ZodType,
  input: unknown,
  prefix: Path,
  above: Path,
): FieldIssue[] {
  const found: FieldIssue[] = [];
  const mistyped = new Set(issues.filter(({ code }) => code === 'invalid_type').map(({ path }) => formatPath(path)));
  for (const issue of issues.slice(0, ISSUES)) {
    if (found.length >= ISSUES) break;
    // A text has a length too: that of a list is not asked of it.
    if ((issue.code === 'too_small' || issue.code === 'too_big') && mistyped.has(formatPath(issue.path))) continue;
    found.push(...describe(issue, schema, input, prefix, above));
  }
  return found.slice(0, ISSUES);
}

function describe(issue: Issue, schema: z.ZodType, input: unknown, prefix: Path, above: Path): FieldIssue[] {
  const inside = [...above, ...issue.path];
  const at = (message: string): FieldIssue => ({ path: formatPath([...prefix, ...inside]), message });
  if (isQuotedNumber(schema, input, inside)) {
    return [at(wrongType('number', valueAt(input, inside), inside, schema))];
  }
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = keysAt(schema, inside);
      return issue.keys.slice(0, ISSUES).map((key) => {
        const below = nestedKey(schema, inside, key);
        return at(below ? `unknown key \`${key}\`; did you mean \`${below}\`?` : unknownWord('key', key, known));
      });
    }
    case 'invalid_value': {
      const value = valueAt(input, inside);
      const known = issue.values.filter((each) => typeof each === 'string');
      if (value === undefined) return [at('is required')];
      if (typeof value === 'string' && known.length > 1) {
        const words = value.split(/[\s,]+/);
        if (words.length > 1 && words.every((word) => known.includes(word))) {
          return [at(`must be one value each: \`[${words.join(', ')}]\``)];
        }
        return [at(unknownWord('value', value, known))];
      }
      if (known.length > 1) return [at(`must be one of ${known.slice(0, 40).join(', ')}`)];
      if (known.length === 1) return [at(`must be ${JSON.stringify(known[0])}`)];
      return [at(issue.message)];
    }
    case 'invalid_type':
      return [at(wrongType(issue.expected, valueAt(input, inside), inside, schema))];
    case 'invalid_key':
      return [
        at(
          `invalid key: ${issue.issues
            .slice(0, 5)
            .map((each) => each.message)
            .join('; ')}`,
        ),
      ];
    case 'too_small':
    case 'too_big':
      return [at(sizeMessage(issue))];
    case 'invalid_union':
      return union(issue, inside, schema, input, prefix, at);
    default:
      return [at(issue.message)];
  }
}

/** Digits in quotes where a number or another text may stand: zod reports the text alone. */
function isQuotedNumber(schema: z.ZodType, input: unknown, path: Path): boolean {
  const value = valueAt(input, path);
  return (
    typeof value === 'string' &&
    /^\d+$/.test(value) &&
    definitionsAt(schema, path).some(({ type }) => type === 'number')
  );
}

/** One option fits but for its fields: its fields are the problem. Else what the options have in common is said. */
function union(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  inside: Path,
  schema: z.ZodType,
  input: unknown,
  prefix: Path,
  at: (message: string) => FieldIssue,
): FieldIssue[] {
  const value = valueAt(input, inside);
  if (value === undefined) return [at('is required')];
  const options = issue.errors as readonly (readonly Issue[])[];
  const expected = new Set(
    options.map(([first]) => (first?.code === 'invalid_type' && first.path.length === 0 ? first.expected : null)),
  );
  const near = options.filter((list) => list.every((each) => !isOfAnotherShape(each, value)));
  if (near.length === 1) return described(near[0]!, schema, input, prefix, inside);
  // A message of our own says more than those of the options.
  if (issue.message !== 'Invalid input') return [at(issue.message)];
  const [only] = expected;
  if (expected.size === 1 && typeof only === 'string' && only !== 'object') {
    return [at(wrongType(only, value, inside, schema))];
  }
  const keys = keysAt(schema, inside);
  if (keys.length > 0) {
    const unknown =
      typeof value === 'object' && value !== null ? Object.keys(value).filter((key) => !keys.includes(key)) : [];
    if (unknown.length > 0) return unknown.slice(0, ISSUES).map((key) => at(unknownWord('key', key, keys)));
    return [at(`must be an object with one of the keys ${keys.map((key) => `\`${key}\``).join(', ')}`)];
  }
  // How long a text may be matters only to the option that it is meant for.
  const messages = options.flatMap((list) =>
    list
      .slice(0, ISSUES)
      .filter((each) => each.code !== 'too_big')
      .map((each) => each.message),
  );
  return [at([...new Set(messages)].join(' or ').slice(0, 300) || issue.message)];
}

/** "must have at least 1 item", "must be at most 65535". */
function sizeMessage(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>): string {
  const bound = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const unit = ({ array: 'item', string: 'character', map: 'key', set: 'item' } as Record<string, string>)[
    issue.origin
  ];
  // A message of our own says more.
  if (!/^Too (small|big)/.test(issue.message)) return issue.message;
  const limit = issue.code === 'too_small' ? 'at least' : 'at most';
  if (unit === undefined) return `must be ${limit} ${bound}`;
  return `must have ${limit} ${bound} ${unit}${Number(bound) === 1 ? '' : 's'}`;
}

function isOfAnotherShape(issue: Issue, value: unknown): boolean {
  if (issue.code === 'unrecognized_keys') return true;
  if (issue.code === 'invalid_value' && issue.path.length <= 1) return true;
  if (issue.code !== 'invalid_type') return false;
  return issue.path.length === 0 || valueAt(value, issue.path) === undefined;
}
