import { malformed } from '../../../contracts/document-bounds.ts';
import { expandHosts } from './host-pattern.ts';
import type { Inventory } from './inventory.ts';
import { ansibleValue } from './literal.ts';

type Section = 'hosts' | 'children' | 'vars';

const HEADER = /^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:[#;].*)?$/;

/** True for a text that begins like an INI inventory: a section, or a line that no YAML document begins with. */
export function looksLikeIni(text: string): boolean {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^[#;]/.test(line));
  const [first = ''] = lines;
  return HEADER.test(first) || (/^\w[\w.-]*(\[[\w:]+\])?[\w.-]*(\s|$)/.test(first) && !/^[^\s#]*:(\s|$)/.test(first));
}

/**
 * An Ansible inventory in INI, written into `inventory`. It is another dialect than other INI files: lines of hosts are words of
 * a shell, values are literals of Python, a key may repeat in each section. Throws SPEC_MALFORMED with the line, which it never
 * quotes: a line may hold a password. `firstLine`: number of the first line in what the caller pasted.
 */
export function readIni(text: string, inventory: Inventory, firstLine = 1): void {
  let group = 'ungrouped';
  let section: Section = 'hosts';
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    try {
      if (line.startsWith('[')) {
        const header = HEADER.exec(line);
        if (!header) throw malformed('a section is such as [kube_node], [k8s_cluster:children] or [all:vars]');
        [, group = ''] = header;
        section = sectionOf(header[2]);
        inventory.group(group);
      } else if (section === 'hosts') hostLine(line, group, inventory);
      else if (section === 'children') inventory.child(group, shellWords(line)[0] ?? '');
      else varLine(line, group, inventory);
    } catch (error) {
      throw at(firstLine + index, error);
    }
  }
}

function sectionOf(word: string | undefined): Section {
  if (word === undefined || word === 'hosts') return 'hosts';
  if (word === 'children' || word === 'vars') return word;
  throw malformed('a section ends in :children or :vars, or has hosts');
}

function hostLine(line: string, group: string, inventory: Inventory): void {
  const [pattern = '', ...assignments] = shellWords(line);
  const [, name = pattern, port] = /^(.*[^:]):(\d{1,5})$/.exec(withoutRanges(pattern) ? pattern : '') ?? [];
  const vars = assignments.map((word): [string, unknown] => {
    const equals = word.indexOf('=');
    if (equals < 1) throw malformed('behind the name of a host stand variables such as ansible_host=10.0.0.1');
    return [word.slice(0, equals), ansibleValue(word.slice(equals + 1))];
  });
  for (const host of expandHosts(name)) {
    inventory.add(group, host);
    if (port !== undefined) inventory.hostVar(host, 'ansible_port', Number(port));
    for (const [key, value] of vars) inventory.hostVar(host, key, value);
  }
}

const withoutRanges = (pattern: string): boolean => !/\[[^\]]*$/.test(pattern);

function varLine(line: string, group: string, inventory: Inventory): void {
  const equals = line.indexOf('=');
  if (equals < 1) throw malformed('a line of a section of variables is such as kube_version=1.36.3');
  inventory.groupVar(group, line.slice(0, equals).trim(), ansibleValue(line.slice(equals + 1).trim()));
}

/** Words of a line as a shell divides it: quotes and backslashes protect, `#` begins a comment. Throws SPEC_MALFORMED for an open quote. */
function shellWords(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at]!;
    if (quote !== '') {
      if (character === quote) quote = '';
      else if (character === '\\' && quote === '"' && /["\\]/.test(line[at + 1] ?? '')) word += line[++at]!;
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (character === '#') break;
    else if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? '') + (character === '\\' ? (line[++at] ?? '') : character);
  }
  if (quote !== '') throw malformed('a quote is not closed');
  if (word !== null) words.push(word);
  return words;
}

/** The same error with its line in front. */
function at(line: number, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'SPEC_MALFORMED') return error;
  return malformed(`line ${line}: ${error.message}`, error);
}
