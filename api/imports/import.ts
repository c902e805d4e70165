import { stringify } from 'yaml';
import { tooComplex } from '../../contracts/document-bounds.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { FieldIssue } from '../../contracts/issues.ts';
import { LIMITS } from '../../contracts/limits.ts';
import { Draft, type Unmapped } from './draft.ts';
import type { ImportFormat } from './format.ts';
import { type ReadYaml, readPasted } from './pasted.ts';

/** What an inventory of another tool is as a spec. */
export interface Imported {
  /** Name of the format. */
  format: string;
  /** The spec as YAML, to be read and corrected by a person. */
  spec: string;
  /** What of the inventory the spec does not have. */
  unmapped: Unmapped[];
  /** What has to be corrected before the spec is accepted. */
  problems: FieldIssue[];
}

export interface ImportRequest {
  /** The pasted inventory. */
  text: string;
  /** Name of a format; absent: the first that recognizes the text. */
  format?: string | undefined;
  /** Name of the cluster; absent: that of the inventory, or `imported`. */
  name?: string | undefined;
  /** Stored credential for all hosts; absent: the key files of the inventory, where they have absolute paths. */
  credential?: string | undefined;
}

export interface ImportDeps {
  formats: readonly ImportFormat[];
  readYaml: ReadYaml;
  /** The server's validation of a spec: what is wrong with it. */
  problemsOf: (spec: unknown) => FieldIssue[];
}

const REPLACED = 'the credential of the request takes its place';

/**
 * Converts an inventory. Throws SPEC_MALFORMED (with the line; no value of the inventory is quoted), DOCUMENT_TOO_COMPLEX, and
 * IMPORT_UNRECOGNIZED when the text is of no format, or of another one than the request names.
 */
export async function importInventory(request: ImportRequest, deps: ImportDeps): Promise<Imported> {
  const pasted = await readPasted(request.text, deps.readYaml);
  const candidates = deps.formats.filter(({ name }) => request.format === undefined || name === request.format);
  const format = candidates.find(({ recognizes }) => recognizes(pasted));
  if (!format) {
    const names = candidates.map(({ title }) => title).join(', ');
    throw new KubewrightError('IMPORT_UNRECOGNIZED', `the text has no groups or objects of ${names || 'this format'}`);
  }
  const draft = new Draft();
  draft.name = request.name;
  format.convert(pasted, draft);
  if (request.credential !== undefined) {
    const credential = { name: request.credential };
    for (const host of draft.hosts) {
      if (host.ssh.credential) draft.leave(`hosts.${host.name}.credential`, host.ssh.credential, REPLACED);
      host.ssh.credential = credential;
      if (host.ssh.jump) host.ssh.jump = { ...host.ssh.jump, credential: host.ssh.jump.credential ?? credential };
    }
  }
  const spec = draft.spec();
  // Labels of a group stand at each of its hosts: a short text can become a long spec.
  if (JSON.stringify(spec).length > LIMITS.yamlBodyBytes)
    throw tooComplex(`the spec would have more than ${LIMITS.yamlBodyBytes} bytes`);
  return {
    format: format.name,
    spec: stringify(spec, { lineWidth: 0, aliasDuplicateObjects: false }),
    unmapped: draft.unmapped,
    problems: deps.problemsOf(spec),
  };
}
