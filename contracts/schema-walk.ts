import type { z } from 'zod';

type Path = readonly PropertyKey[];

/** The parts of a schema's definition that are walked here. All of zod's own wrappers name their content alike. */
interface Definition {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
  valueType?: z.ZodType;
  shape?: Record<string, z.ZodType>;
  options?: readonly z.ZodType[];
  /** Of an enumeration. */
  entries?: Record<string, string | number>;
}

/** A schema without its wrappers, or each option of a union. */
function bare(schema: z.ZodType): Definition[] {
  const definition = schema.def as unknown as Definition;
  const within = definition.innerType ?? definition.in;
  if (within) return bare(within);
  return definition.options ? definition.options.flatMap(bare) : [definition];
}

/** What a schema says of the place at the path: one definition, several where a union leads there, none where nothing does. */
export function definitionsAt(schema: z.ZodType, path: Path): Definition[] {
  const [head, ...rest] = path;
  if (head === undefined) return bare(schema);
  return bare(schema).flatMap(({ element, valueType, shape }) => {
    const next = element ?? valueType ?? (shape && Object.hasOwn(shape, head) ? shape[String(head)] : undefined);
    return next ? definitionsAt(next, rest) : [];
  });
}

/** The keys that the schema knows at the path; of a union, those of all its options. */
export const keysAt = (schema: z.ZodType, path: Path): string[] => [
  ...new Set(definitionsAt(schema, path).flatMap(({ shape }) => Object.keys(shape ?? {}))),
];

/** `ssh.port` for the key `port` of an object that has none of its own, but an object that has one. */
export const nestedKey = (schema: z.ZodType, path: Path, key: string): string | undefined =>
  keysAt(schema, path)
    .filter((child) => keysAt(schema, [...path, child]).includes(key))
    .map((child) => `${child}.${key}`)[0];

/** What stands at the path of a document; undefined where nothing does. */
export function valueAt(input: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    input,
  );
}
