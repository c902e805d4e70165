import { scanFolder } from '../../store/scan-folder.ts';
import type { Draft } from './draft.ts';
import type { Pasted } from './pasted.ts';

/** An inventory format of another tool: data about it, and what its words become in a spec. */
export interface ImportFormat {
  /** As callers name it: lower case. */
  name: string;
  title: string;
  /** True when the text is most likely of this format. Formats are asked in the order of their names. */
  recognizes: (pasted: Pasted) => boolean;
  /** Writes what maps into the draft, and lists what does not. Throws SPEC_MALFORMED for what the tool could not read either. */
  convert: (pasted: Pasted, draft: Draft) => void;
}

/** The default export of a file in `formats/`. */
export const defineImportFormat = (format: ImportFormat): ImportFormat => format;

const isFormat = (value: unknown): value is ImportFormat =>
  typeof value === 'object' &&
  value !== null &&
  ['name', 'title', 'recognizes', 'convert'].every((key) => key in value);

/** The formats of a folder (default: `formats/`), by name. Throws INTERNAL for a file without `defineImportFormat`. */
export async function loadImportFormats(folder: URL = new URL('./formats/', import.meta.url)): Promise<ImportFormat[]> {
  const formats = await scanFolder(folder, isFormat);
  return formats.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
