import type { FastifyBaseLogger } from 'fastify';
import { z } from 'zod';
import { printableJson } from '../../contracts/printable.ts';

/** Differing fields that are logged; more of them say nothing new, and a process keeps them. */
const LOGGED_FIELDS = 100;

/**
 * JSON of an answer through its schema. A row of another version may have a value that the schema refuses: the answer is
 * sent all the same, without the fields that the schema lacks, and the log names the first such field, once. (Tests refuse
 * such an answer: plugins/checked-answers.ts.)
 */
export function answerWriter(
  log: FastifyBaseLogger,
): (route: { schema: unknown; url: string }) => (data: unknown) => string {
  const logged = new Set<string>();
  return ({ schema, url }) => {
    const answer = schema as z.ZodType;
    return (data) => {
      const parsed = answer.safeParse(data);
      if (!parsed.success) {
        const [issue] = parsed.error.issues;
        const field = `${url} ${issue?.path.map((part) => (typeof part === 'number' ? '*' : String(part))).join('.')}`;
        if (!logged.has(field) && logged.size < LOGGED_FIELDS) {
          logged.add(field);
          log.warn(
            { field, problem: issue?.message },
            'an answer has a value that its schema refuses; it is sent as it is',
          );
        }
      }
      return printableJson(JSON.stringify(parsed.success ? parsed.data : named(answer, data)));
    };
  };
}

/** A value without the fields that its schema lacks. Values that the schema refuses stay. Pure. */
export function named(schema: z.core.$ZodType, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { def } = (schema as z.core.$ZodTypes)._zod;
  switch (def.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(value).flatMap(([name, each]) => {
          const field = Object.hasOwn(def.shape, name) ? def.shape[name] : def.catchall;
          return field === undefined ? [] : [[name, named(field, each)]];
        }),
      );
    case 'array':
      return Array.isArray(value) ? value.map((each) => named(def.element, each)) : value;
    case 'record':
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, named(def.valueType, each)]));
    case 'union': {
      const fitting = def.options.find((option) => z.safeParse(option, value).success);
      return fitting ? named(fitting, value) : value;
    }
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'readonly':
      return named(def.innerType, value);
    default:
      return value;
  }
}
