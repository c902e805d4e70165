import { malformed, tooComplex } from '../../contracts/document-bounds.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { looksLikeIni, readIni } from './ansible/ini.ts';
import { Inventory } from './ansible/inventory.ts';
import { isYamlInventory, readYamlInventory } from './ansible/yaml.ts';

export type Json = Record<string, unknown>;

/** What was pasted, read but not yet understood. */
export interface Pasted {
  /** Groups and variables of Ansible; `inventory.hosts` is empty where there are none. */
  inventory: Inventory;
  /** Other YAML documents: objects with `kind`. */
  objects: Json[];
}

/** Reads one YAML document. Large ones take seconds, so a server gives a function that works in a thread. Throws SPEC_MALFORMED, DOCUMENT_TOO_COMPLEX. */
export type ReadYaml = (text: string) => Promise<unknown>;

/** An inventory and some files of group variables. */
const MOST_DOCUMENTS = 40;

/**
 * Reads pasted text: documents that `---` divides, each INI or YAML. A document of variables alone, such as a file of group_vars, counts for
 * all hosts. Throws SPEC_MALFORMED and DOCUMENT_TOO_COMPLEX with the line; never quotes a value.
 */
export async function readPasted(text: string, readYaml: ReadYaml): Promise<Pasted> {
  const inventory = new Inventory();
  const objects: Json[] = [];
  for (const { lines, firstLine } of documentsOf(text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n'))) {
    const part = lines.join('\n');
    if (looksLikeIni(part)) {
      readIni(part, inventory, firstLine);
      continue;
    }
    const document = await readYaml(withoutVaultTags(part)).catch((error: unknown) => {
      throw movedBy(firstLine - 1, error);
    });
    if (document === null || document === undefined) continue;
    if (typeof document !== 'object' || Array.isArray(document))
      throw malformed(`line ${firstLine}: the document must be an INI inventory or an object of YAML`);
    const object = document as Json;
    if (typeof object['kind'] === 'string') objects.push(object);
    else if (isYamlInventory(object)) readYamlInventory(object, inventory);
    else for (const [name, value] of Object.entries(object)) inventory.groupVar('all', name, value);
  }
  return { inventory, objects };
}

function documentsOf(text: string): { lines: string[]; firstLine: number }[] {
  const documents: { lines: string[]; firstLine: number }[] = [{ lines: [], firstLine: 1 }];
  for (const [index, line] of text.split('\n').entries()) {
    if (/^(---|\.\.\.)(\s|$)/.test(line)) {
      if (documents.length >= MOST_DOCUMENTS) throw tooComplex(`more than ${MOST_DOCUMENTS} documents are pasted`);
      documents.push({ lines: [line.slice(3)], firstLine: index + 1 });
    } else documents.at(-1)!.lines.push(line);
  }
  return documents.filter(({ lines }) => lines.some((line) => line.trim() !== '' && !line.trim().startsWith('#')));
}

/** Tags of Ansible, which no YAML parser knows; the text behind them says enough. As many characters as before. */
const withoutVaultTags = (text: string): string =>
  text.replace(
    /([:-][ ]+)(!vault|!unsafe|!vault-encrypted)(?=\s)/g,
    (_, before: string, tag: string) => before + ' '.repeat(tag.length),
  );

/** The error of a document with the line of the whole text. */
function movedBy(lines: number, error: unknown): unknown {
  if (!KubewrightError.is(error) || lines === 0) return error;
  const message = error.message.replace(/^line (\d+)/, (_, line: string) => `line ${Number(line) + lines}`);
  return new KubewrightError(error.code, message, { cause: error });
}
