import { expect, it } from 'vitest';
import { journalRecord } from '../../contracts/record.ts';
import { operationStatus, taskStatus } from '../../contracts/status.ts';
import { sources } from './source-files.ts';

/** So many fields of one of these, in a shape of its own, are a copy of it. */
const A_COPY = 6;
const ONCE = {
  'contracts/record.ts': Object.keys(journalRecord.shape),
  'contracts/status.ts': [...new Set([...Object.keys(operationStatus.shape), ...Object.keys(taskStatus.shape)])],
};
/** Inputs of workflows and activities, and what Temporal has: the same names, of what is asked for. */
const OTHERS: readonly string[] = [
  'contracts/health.ts: interface HealthInput',
  'contracts/operation.ts: interface OperationRequest',
  'contracts/operation.ts: interface TaskInput',
  'contracts/plan.ts: z.strictObject',
  'api/temporal-gateway.ts: interface WorkflowEvent',
];

const SHAPE = /(interface \w+[^{]*|type \w+(?:<[^=]*>)? = |z\s*\.(?:strictO|looseO|o)bject\()\{/g;

/** The members of each type and schema that is written out in a source: `name of the shape` to its members. */
function shapesOf(source: string): [string, string[]][] {
  return [...source.matchAll(SHAPE)].map((found) => {
    const members: string[] = [];
    let depth = 0;
    let at = found.index + found[0].length - 1;
    let line = '';
    for (; at < source.length; at += 1) {
      const char = source[at]!;
      if ('{(['.includes(char)) depth += 1;
      if ('})]'.includes(char)) depth -= 1;
      if (depth === 0) break;
      line = char === '\n' || char === ';' || (char === ',' && depth === 1) ? '' : line + char;
      const [, name] = (depth === 1 && /^[{\s]*(?:readonly )?(\w+)\??:$/.exec(line)) || [];
      if (name !== undefined) members.push(name);
    }
    return [found[0], members];
  });
}

it('a record and a status are written out once; other shapes derive from them', () => {
  const copies: string[] = [];
  for (const { path: file, text: source } of sources()) {
    for (const [home, names] of Object.entries(ONCE)) {
      if (file in ONCE) continue;
      for (const [shape, members] of shapesOf(source)) {
        const same = members.filter((name) => names.includes(name));
        if (same.length >= A_COPY) copies.push(`${file}: ${shape.trim()} has ${same.join(', ')} of ${home}`);
      }
    }
  }
  expect(copies.filter((copy) => !OTHERS.some((other) => copy.startsWith(other)))).toEqual([]);
});

it('finds a copy', () => {
  const source =
    'interface Copy {\n  id: string;\n  /** Who. */\n  actor?: { name: string };\n  readonly host: string;\n}\n';
  expect(shapesOf(`${source}const a = z.object({\n  id: z.string(),\n  part: z.object({ n: z.int() }),\n});`)).toEqual([
    ['interface Copy {', ['id', 'actor', 'host']],
    ['z.object({', ['id', 'part']],
    ['z.object({', ['n']],
  ]);
});
