import { LineCounter, parseDocument, type YAMLParseError, type YAMLWarning } from 'yaml';
import { type ClusterSpec, clusterSpec } from './cluster.ts';
import { KubewrightError } from './errors.ts';
import { describeIssues, type FieldIssue } from './issues.ts';
import { jsonDuplicateKey, jsonErrorOffset } from './json-position.ts';

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
    throw malformed(`line ${line}, column ${col}: ${yamlMessage(problem)}`, problem);
  }
  try {
    return document.toJS({ maxAliasCount: ALIASES });
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw malformed(error instanceof Error ? error.message.slice(0, 200) : 'the anchors cannot be resolved', error);
  }
}

/** The parser speaks to programmers in some places; here its reader is the author of the document. */
function yamlMessage(problem: YAMLParseError | YAMLWarning): string {
  if (problem.code === 'MULTIPLE_DOCS') return 'a second document begins; send one at a time';
  if (/call stack/.test(problem.message)) return 'the document is nested too deeply';
  return problem.message.split('\n')[0]!.slice(0, 200);
}

function parseJson(text: string): unknown {
  const place = (offset: number) => {
    const before = text.slice(0, offset).split('\n');
    return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    const offset = jsonErrorOffset(text);
    const found = offset >= text.length ? 'the document ends too early' : `unexpected ${JSON.stringify(text[offset])}`;
    throw malformed(`${place(offset)}: ${found}`, error);
  }
  // JSON.parse lets the last one win, which is not what anybody meant.
  const twice = jsonDuplicateKey(text);
  if (twice) throw malformed(`${place(twice.offset)}: the key \`${twice.key.slice(0, 64)}\` is there twice`);
  return value;
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
