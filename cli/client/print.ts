import { Option } from 'commander';
import { stringify } from 'yaml';
import { printable, printableJson, printableLine } from '../../contracts/printable.ts';

export const FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type Format = (typeof FORMATS)[number];

/** A column of a table. `wide`: only with `-o wide`. */
export interface Column<Item> {
  title: string;
  value: (item: Item) => string;
  wide?: true;
}

export const outputOption = (): Option =>
  new Option('-o, --output <format>', 'format of the output').choices(FORMATS).default('table');

/** Items as the caller wants them. `one`: json and yaml have the item itself and no list. */
export function printItems<Item>(
  items: readonly Item[],
  {
    format,
    columns,
    name,
    headers = true,
    one = false,
  }: {
    format: Format;
    columns: readonly Column<Item>[];
    /** As `-o name` has it, such as `cluster/prod`. */
    name: (item: Item) => string;
    headers?: boolean;
    one?: boolean;
  },
): void {
  const document = one ? items[0] : { items };
  switch (format) {
    case 'json':
      return say(printableJson(JSON.stringify(document, null, 2)));
    case 'yaml':
      return say(printable(stringify(document)).trimEnd());
    case 'name':
      for (const item of items) say(printableLine(name(item)));
      return;
    case 'table':
    case 'wide': {
      const shown = columns.filter(({ wide }) => wide !== true || format === 'wide');
      const rows = items.map((item) => shown.map(({ value }) => printableLine(value(item)) || '-'));
      for (const line of tableOf([...(headers ? [shown.map(({ title }) => title)] : []), ...rows])) say(line);
    }
  }
}

/** Rows with aligned columns, three spaces between them. Pure. */
export function tableOf(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, index) => Math.max(...rows.map((row) => row[index]!.length)));
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index]! + 3))
      .join('')
      .trimEnd(),
  );
}

/** One line of the answer. */
export const say = (line: string): void => void process.stdout.write(`${line}\n`);
/** A line for the person, beside the answer. */
export const note = (line: string): void => void process.stderr.write(`${printable(line)}\n`);

/** `3m`, `2h`, `5d` since then. Pure. */
export function ageOf(time: string | null | undefined, now = Date.now()): string {
  if (!time) return '';
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)}h` : `${Math.round(seconds / 86_400)}d`;
}
