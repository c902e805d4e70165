import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Capability } from '../../activities/phases/capability.ts';
import { dnsLabel } from '../../contracts/primitives.ts';
import { checkoutRoot } from './paths.ts';

/**
 * `npm run new:phase -- NAME [--provides CAPABILITY]`: a phase that installs nothing yet, and its golden case. A provider of a
 * capability is off unless the spec names it: the choice has a default provider. Its offer has example data of the
 * capability's schema. `--into` is another folder than this checkout, for tests.
 */

/** A capability as its file exports it. */
interface Provided {
  /** Name of the export. */
  name: string;
  capability: Capability;
}

/** What is read of a field's JSON Schema. */
interface JsonField {
  type?: string;
  enum?: string[];
  anyOf?: { type?: string }[];
  minimum?: number;
  pattern?: string;
  description?: string;
}

const phaseFile = (name: string, provided?: Provided): string => `import { z } from 'zod';
import { file } from '../resources/file.ts';
${provided ? `import { ${provided.name} } from './capabilities/${provided.capability.name}.ts';\n` : ''}import { definePhase } from './phase.ts';

/** What it is for, in one sentence. */
export default definePhase({
  name: '${name}',
  title: '${name}',
  hosts: 'nodes',${provided ? offerLines(provided) : ''}
  needs: [{ phase: 'prepare', on: 'same-host' }],
  timeouts: { applyMs: 5 * 60_000, verifyMs: 60_000 },
  expectedMs: 2_000,

  options: z.strictObject({}),

  resources: ({ host }) => [file('/etc/kubewright/${name}.conf', \`# \${host.name}\\n\`)],
});
`;

function offerLines({ name, capability }: Provided): string {
  const { properties = {} } = z.toJSONSchema(capability.data) as { properties?: Record<string, JsonField> };
  const fields = Object.entries(properties).map(([field, schema]) => {
    return `      // ${schema.description ?? 'What others go by.'}\n      ${field}: ${exampleOf(schema)},\n`;
  });
  // A choice that the spec makes with a field of its own switches its providers on and off.
  const optional = capability.chosen ? '' : `\n  optional: 'when-named',`;
  return `\n  offers: [\n    ${name}.offer(() => ({\n${fields.join('')}    })),\n  ],${optional}`;
}

/** A value that the schema of a field takes, as source text: the first word, the least number, a name. */
function exampleOf(schema: JsonField): string {
  const { type, anyOf, minimum = 1, pattern = '', ...rest } = schema;
  if (rest.enum) return `'${rest.enum[0]}'`;
  const kinds = anyOf?.map((each) => each.type) ?? [];
  if (type === 'null' || kinds.includes('null')) return 'null';
  if (type === 'boolean') return 'false';
  if (type === 'array') return '[]';
  if (type === 'integer' || type === 'number') return String(minimum);
  return pattern.startsWith('^\\/')
    ? "'/run/example.sock'"
    : pattern.includes('service')
      ? "'example.service'"
      : "'example.internal'";
}

const testFile = (name: string): string => `import { it } from 'vitest';
import phase from '../../activities/phases/${name}.ts';
import { expectGolden } from './golden.ts';

it('${name}: default options', () => expectGolden(phase, { name: 'default' }));
`;

function usage(problem: string): never {
  console.error(`usage: npm run new:phase -- NAME [--provides CAPABILITY] (${problem})`);
  process.exit(1);
}

const CAPABILITIES = 'activities/phases/capabilities';

async function providedBy(name: string): Promise<Provided> {
  const known = readdirSync(join(checkoutRoot, CAPABILITIES)).map((file) => file.replace(/\.ts$/, ''));
  if (!known.includes(name))
    usage(`${name} is no capability: ${known.join(', ')}; another one is a file in ${CAPABILITIES}`);
  const module = (await import(join(checkoutRoot, CAPABILITIES, `${name}.ts`))) as Record<string, Capability>;
  const [found] = Object.entries(module).filter(([, value]) => typeof value === 'object' && value.name === name);
  return { name: found![0], capability: found![1] };
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { provides: { type: 'string' }, into: { type: 'string', default: checkoutRoot } },
});
const name = dnsLabel.safeParse(positionals[0]);
if (!name.success) usage(name.error.issues[0]!.message);
const provided = values.provides === undefined ? undefined : await providedBy(values.provides);
const files = {
  [join(values.into, 'activities/phases', `${name.data}.ts`)]: phaseFile(name.data, provided),
  [join(values.into, 'test/golden', `${name.data}.test.ts`)]: testFile(name.data),
};
for (const path of Object.keys(files)) if (existsSync(path)) usage(`${path} is there already`);
for (const [path, text] of Object.entries(files)) {
  writeFileSync(path, text);
  console.log(`wrote ${path}`);
}
console.log('next: npm run golden:update, then npm run check');
