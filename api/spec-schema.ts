import { z } from 'zod';
import type { Phase } from '../activities/phases/phase.ts';
import { clusterShape } from '../contracts/cluster.ts';

type Schema = Record<string, unknown> & { properties?: Record<string, Schema> };

const schemaOf = (schema: z.ZodType): Schema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;

/**
 * The JSON Schema of a spec as a user writes it, with the options of each phase in their places: for completion in editors, and
 * for forms. Rules that span fields are not in it; the server checks them. Pure.
 */
export function specSchema(phases: readonly Phase[]): Schema {
  const schema = schemaOf(clusterShape);
  const options = {
    type: 'object',
    properties: Object.fromEntries(
      phases.flatMap((phase) => {
        // Its options stand under the name of the other phase.
        if (phase.sharesOptionsWith !== undefined) return [];
        const { $schema: _, ...own } = schemaOf(phase.options);
        return [[phase.name, { title: phase.title, ...own }]];
      }),
    ),
    additionalProperties: false,
  };
  const spec = schema.properties!['spec']!.properties!;
  const host = (spec['hosts'] as { items: Schema }).items.properties!;
  for (const place of [spec, host]) {
    const description = place['phases']!['description'];
    place['phases'] = { ...options, ...(description === undefined ? {} : { description }) };
  }
  return { ...schema, title: 'Cluster' };
}
