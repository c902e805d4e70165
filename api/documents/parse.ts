import { DOCUMENT_BOUNDS, type DocumentBounds } from '../../contracts/document-bounds.ts';
import { type ErrorReport, KubewrightError } from '../../contracts/errors.ts';
import { parseDocumentText, validateClusterSpec } from '../../contracts/spec-parse.ts';

/** One body to be parsed. */
export interface ParseJob {
  bytes: Uint8Array;
  /** Media type, without parameters. */
  type: string;
  /** What differs from DOCUMENT_BOUNDS. */
  bounds?: Partial<DocumentBounds> | undefined;
  /** It is to be a cluster spec: to be checked here as well, for naming what is wrong may take a second. */
  clusterSpec?: boolean | undefined;
}

/** A parsed body. */
export interface Parsed {
  /** Plain data; undefined for an empty body. */
  value: unknown;
  /** SPEC_INVALID, when it was to be a cluster spec and is none. */
  refusal?: ErrorReport | undefined;
}

/** Parse a body. Throws SPEC_MALFORMED and DOCUMENT_TOO_COMPLEX. */
export function parseBytes({ bytes, type, bounds, clusterSpec = false }: ParseJob): Parsed {
  const text = utf8(bytes);
  const value = text.trim() === '' ? undefined : parseDocumentText(text, type, { ...DOCUMENT_BOUNDS, ...bounds });
  if (!clusterSpec) return { value };
  try {
    validateClusterSpec(value);
    return { value };
  } catch (error) {
    if (KubewrightError.is(error)) return { value, refusal: error.report() };
    throw error;
  }
}

/** A replacement character in a name or a key would make another name of it. */
function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new KubewrightError('SPEC_MALFORMED', 'the body is not valid UTF-8', { cause: error });
  }
}
