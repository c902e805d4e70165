import type { OperationStatus, TaskStatus } from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';
import { printable, printableJson } from '../../contracts/printable.ts';
import type { Change } from '../../contracts/status.ts';
import { type Api, openApi, type ServerOptions, withServer } from '../client/api.ts';
import { defineCommand, examples } from '../command.ts';

interface Options extends ServerOptions {
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
export default defineCommand('operations show', (command) => {
  const described = command
    .description('show an operation: its tasks, and its plan and changes if asked for')
    .argument('<cluster>')
    .argument('<operation>')
    .option('--plan', 'also the plan: phases, hosts, needs')
    .option('--changes', 'also what each task changed, or in a dry run would change')
    .option('--phase <name>', 'only tasks of this phase')
    .option('--host <name>', 'only tasks of this host')
    .option('--state <state>', 'only tasks in this state, such as blocked')
    .option('--json', 'as one JSON document');
  described.addHelpText('after', examples('kubewright operations show prod 01k5x0000000000000000000aa --changes'));
  return withServer(described).action(async (cluster: string, id: string, options: Options) => {
    const api = openApi(options);
    const path = `/clusters/${encodeURIComponent(cluster)}/operations/${encodeURIComponent(id)}`;
    const operation = await api.request<Operation>('GET', path, options.plan ? { query: { plan: 'true' } } : {});
    const tasks = await tasksOf(api, path, options);
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
});

async function tasksOf(api: Api, path: string, options: Options): Promise<Task[]> {
  const { phase, host, state, changes } = options;
  const query = { limit: String(PAGE), changes: String(changes === true), phase, host, state };
  return await api.all<Task>(`${path}/tasks`, query);
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
