import { Command } from 'commander';
import type { OperationStatus, TaskStatus } from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';
import { printable, printableJson } from '../../contracts/printable.ts';
import type { Change } from '../../contracts/status.ts';
import { type ApiOptions, ask, withApiOptions } from './api-options.ts';

interface Options extends ApiOptions {
  plan?: true;
  changes?: true;
  phase?: string;
  host?: string;
  state?: string;
  json?: true;
}

type Task = TaskStatus & { changes?: Change[] };
type Operation = Omit<OperationStatus, 'tasks'> & { taskCounts: Record<string, number>; plan?: Plan | null };

/** Tasks of one request: the most that a page may have. */
const PAGE = 200;

/** `kubewright operations show`: an operation with all its tasks, its plan and its changes, from a running service. */
export function operationsShow(): Command {
  const command = new Command('show')
    .description('show an operation: its tasks, and its plan and changes if asked for')
    .argument('<cluster>')
    .argument('<operation>')
    .option('--plan', 'also the plan: phases, hosts, needs')
    .option('--changes', 'also what each task changed, or in a dry run would change')
    .option('--phase <name>', 'only tasks of this phase')
    .option('--host <name>', 'only tasks of this host')
    .option('--state <state>', 'only tasks in this state, such as blocked')
    .option('--json', 'as one JSON document');
  return withApiOptions(command, 'viewer').action(async (cluster: string, id: string, options: Options) => {
    const path = `/clusters/${encodeURIComponent(cluster)}/operations/${encodeURIComponent(id)}`;
    const operation = await ask<Operation>(options, options.plan ? `${path}?plan=true` : path);
    const tasks = await tasksOf(path, options);
    if (options.json) {
      process.stdout.write(`${printableJson(JSON.stringify({ ...operation, tasks, tasksNext: null }))}\n`);
      return;
    }
    const lines = [
      headOf(operation),
      ...(options.plan ? planOf(operation.plan ?? null) : []),
      ...tasks.flatMap(linesOf),
    ];
    process.stdout.write(lines.map((line) => `${printable(line)}\n`).join(''));
  });
}

async function tasksOf(path: string, options: Options): Promise<Task[]> {
  const query = new URLSearchParams({ limit: String(PAGE), changes: String(options.changes === true) });
  for (const name of ['phase', 'host', 'state'] as const) {
    const value = options[name];
    if (value !== undefined) query.set(name, value);
  }
  const found: Task[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    if (cursor !== '') query.set('cursor', cursor);
    const page: { items: Task[]; next: string | null } = await ask(options, `${path}/tasks?${query.toString()}`);
    found.push(...page.items);
    cursor = page.next;
  }
  return found;
}

function headOf({ operationId, kind, mode, state, actor, taskCounts, error }: Operation): string {
  const counts = Object.entries(taskCounts).map(([name, count]) => `${count} ${name}`);
  const why = error ? `: ${error.message} (${error.code})` : '';
  return `${operationId}: ${kind}, mode ${mode}, by ${actor}, ${state}${why}; tasks: ${counts.join(', ') || 'none'}`;
}

function planOf(plan: Plan | null): string[] {
  if (plan === null) return ['plan: not made yet, or made by a version that kept no plans'];
  return plan.phases.map(({ name, hosts, needs, maxParallel }) => {
    const after = needs.map((need) => `${need.phase} (${need.on})`).join(', ');
    return `plan: ${name} on ${hosts.join(', ')}; at most ${maxParallel} at once${after === '' ? '' : `; after ${after}`}`;
  });
}

function linesOf({ phase, host, state, changeCount, error, changes = [] }: Task): string[] {
  const count = changeCount === undefined ? '' : `, ${changeCount} changes`;
  const why = error ? `: ${error.message} (${error.code})` : '';
  return [
    `${phase} on ${host}: ${state}${count}${why}`,
    ...changes.map(({ action, resource, detail }) => `  ${action} ${resource}: ${detail}`),
  ];
}
