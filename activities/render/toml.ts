export type TomlValue = string | number | boolean | readonly TomlValue[] | TomlTable;
export interface TomlTable {
  readonly [key: string]: TomlValue | undefined;
}

/**
 * A TOML document: plain values before tables, both in the order given; `undefined` is left out. A table that holds
 * nothing but tables gets no header of its own. Arrays of tables are written inline.
 */
export function toml(document: TomlTable): string {
  return `${section([], document).join('\n\n')}\n`;
}

function section(path: readonly string[], table: TomlTable): string[] {
  const entries = Object.entries(table).filter((entry): entry is [string, TomlValue] => entry[1] !== undefined);
  const plain = entries.filter(([, value]) => !isTable(value)).map(([key, value]) => `${name(key)} = ${inline(value)}`);
  const tables = entries.filter((entry): entry is [string, TomlTable] => isTable(entry[1]));
  const header = path.length > 0 && (plain.length > 0 || tables.length === 0) ? [`[${path.map(name).join('.')}]`] : [];
  const own = [...header, ...plain];
  return [
    ...(own.length > 0 ? [own.join('\n')] : []),
    ...tables.flatMap(([key, value]) => section([...path, key], value)),
  ];
}

function isTable(value: TomlValue): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value);
}

const name = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key));

function inline(value: TomlValue): string {
  // A JSON string is a TOML basic string, but for DEL, which TOML requires to be escaped.
  if (typeof value === 'string') return JSON.stringify(value).replaceAll('\u007f', '\\u007f');
  if (typeof value !== 'object') return String(value);
  if (isTable(value)) {
    const pairs = Object.entries(value).flatMap(([key, each]) =>
      each === undefined ? [] : [`${name(key)} = ${inline(each)}`],
    );
    return `{ ${pairs.join(', ')} }`;
  }
  return `[${(value as readonly TomlValue[]).map(inline).join(', ')}]`;
}
