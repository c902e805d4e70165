import { type ClusterSpec, clusterSpec } from './cluster.ts';
import { DOCUMENT_BOUNDS, type DocumentBounds, malformed, TOO_DEEP } from './document-bounds.ts';
import { KubewrightError } from './errors.ts';
import { describeIssues, type FieldIssue } from './issues.ts';
import { parseJson } from './json-document.ts';
import { parseYaml } from './yaml-document.ts';

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
    throw specInvalid([{ path: '', message: 'must be an object with apiVersion, kind, metadata and spec' }]);
  }
  const parsed = clusterSpec.safeParse(input);
  if (!parsed.success) throw specInvalid(describeIssues(parsed.error, clusterSpec, input));
  const issues = validatePhases?.(parsed.data) ?? [];
  if (issues.length > 0) throw specInvalid(issues);
  return parsed.data;
}

/**
 * JSON or one YAML document as plain data, in time linear in its length. Throws SPEC_MALFORMED and DOCUMENT_TOO_COMPLEX,
 * with line and column.
 */
export function parseDocumentText(
  text: string,
  contentType: string,
  bounds: DocumentBounds = DOCUMENT_BOUNDS,
): unknown {
  try {
    return /\bjson\b/.test(contentType) ? parseJson(text, bounds) : parseYaml(text, bounds);
  } catch (error) {
    // Nesting that is deeper than our stack is no spec.
    if (error instanceof RangeError) throw malformed(TOO_DEEP, error);
    throw error;
  }
}

/** SPEC_INVALID with a problem per field. */
export function specInvalid(errors: FieldIssue[]): KubewrightError {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const place = first && first.path !== '' ? `${first.path} ` : '';
  return new KubewrightError('SPEC_INVALID', `${place}${first?.message ?? 'the spec is invalid'}${more}`, { errors });
}
