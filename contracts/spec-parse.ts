import { LineCounter, parseDocument } from 'yaml';
import { type ClusterSpec, clusterSpec } from './cluster.ts';
import { KubewrightError } from './errors.ts';
import { describeIssues, type FieldIssue } from './issues.ts';
import { jsonErrorOffset } from './json-position.ts';

/** References to anchors in one document. A spec needs a few; a bomb needs many. */
const ALIASES = 100;

/** Checks phase names and options, which the phases themselves know. Gives what is wrong. */
export type ValidatePhases = (cluster: ClusterSpec) => FieldIssue[];

/**
 * A cluster spec from its text, as JSON for a JSON content type, else YAML.
 * Throws SPEC_MALFORMED (with line and column) or SPEC_INVALID (with `errors`, one per field).
 */
export function parseClusterSpec(text: string, contentType: string, validatePhases?: ValidatePhases): ClusterSpec {
  return validateClusterSpec(parseDocumentText(text, contentType), validatePhases);
}

/** A cluster spec from a parsed document. Throws SPEC_INVALID. */
export function validateClusterSpec(input: unknown, validatePhases?: ValidatePhases): ClusterSpec {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw invalid([{ path: '', message: 'must be an object with apiVersion, kind, metadata and spec' }]);
  }
  const parsed = clusterSpec.safeParse(input);
  if (!parsed.success) throw invalid(describeIssues(parsed.error, clusterSpec, input));
  const issues = validatePhases?.(parsed.data) ?? [];
  if (issues.length > 0) throw invalid(issues);
  return parsed.data;
}

/** JSON or one YAML document as plain data. Throws SPEC_MALFORMED. */
export function parseDocumentText(text: string, contentType: string): unknown {
  try {
    const value = /\bjson\b/.test(contentType) ? parseJson(text) : parseYaml(text);
    refusePrototypes(value, 0);
    return value;
  } catch (error) {
    // Nesting that is deeper than our stack is no spec.
    if (error instanceof RangeError) throw malformed('the document is nested too deeply', error);
    throw error;
  }
}

function parseYaml(text: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    strict: true,
    uniqueKeys: true,
    version: '1.2',
    merge: false,
    lineCounter,
    prettyErrors: false,
  });
  // A warning is an unknown tag: its value would not be what its author meant.
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem) {
    const { line, col } = lineCounter.linePos(problem.pos[0]);
    throw malformed(`line ${line}, column ${col}: ${problem.message.split('\n')[0]!.slice(0, 200)}`, problem);
  }
  try {
    return document.toJS({ maxAliasCount: ALIASES });
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw malformed(error instanceof Error ? error.message.slice(0, 200) : 'the anchors cannot be resolved', error);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    const offset = jsonErrorOffset(text);
    const before = text.slice(0, offset).split('\n');
    const found = offset >= text.length ? 'the document ends too early' : `unexpected ${JSON.stringify(text[offset])}`;
    throw malformed(`line ${before.length}, column ${before.at(-1)!.length + 1}: ${found}`, error);
  }
}

/** A key `__proto__` would become an object's prototype in whatever copies the document. */
function refusePrototypes(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > 100) throw malformed('the document is nested too deeply');
  if (Object.hasOwn(value, '__proto__')) throw malformed('the key `__proto__` is not allowed');
  for (const each of Object.values(value)) refusePrototypes(each, depth + 1);
}

const malformed = (message: string, cause?: unknown) => new KubewrightError('SPEC_MALFORMED', message, { cause });

function invalid(errors: FieldIssue[]): KubewrightError {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const place = first && first.path !== '' ? `${first.path} ` : '';
  return new KubewrightError('SPEC_INVALID', `${place}${first?.message ?? 'the spec is invalid'}${more}`, { errors });
}
