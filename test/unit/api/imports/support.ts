import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { loadPhases } from '../../../../activities/phases/phase-loader.ts';
import { loadImportFormats } from '../../../../api/imports/format.ts';
import { type Imported, type ImportRequest, importInventory } from '../../../../api/imports/import.ts';
import { specProblems } from '../../../../api/imports/problems.ts';
import { parseDocumentText } from '../../../../contracts/spec-parse.ts';

const deps = {
  formats: await loadImportFormats(),
  readYaml: async (text: string) => parseDocumentText(text, 'application/yaml'),
  problemsOf: specProblems(await loadPhases()),
};

/** The import of a text, with the real phases. */
export const imported = (text: string, more: Omit<ImportRequest, 'text'> = {}): Promise<Imported> =>
  importInventory({ text, ...more }, deps);

interface SpecDocument {
  metadata: { name: string };
  // oxlint-disable-next-line typescript/no-explicit-any -- parts of a document, as tests look at them
  spec: any;
}

/** The document that an import gives. */
export const specOf = ({ spec }: Imported): SpecDocument => parse(spec) as SpecDocument;

export const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/imports/${name}`, import.meta.url), 'utf8');

/** The reason that is listed for a path; undefined: the path is not listed. */
export const reasonOf = ({ unmapped }: Imported, path: string): string | undefined =>
  unmapped.find((each) => each.path === path)?.reason;
