import type { OperationState, TaskStatus } from '../../contracts/operation.ts';
import type { PlanPhase } from '../../contracts/plan.ts';

/** What the state of an operation follows from. */
export interface StateInputs {
  planned: boolean;
  /** Pause gate closed. */
  paused: boolean;
  running: number;
  blocked: number;
  /** Set once the operation ends. */
  ended?: 'succeeded' | 'failed' | 'cancelled' | undefined;
  /** Abort or cancel was asked; running tasks still end. */
  ending: boolean;
}

/** The one rule for the state shown to people. */
export function operationState(inputs: StateInputs): OperationState {
  if (inputs.ended) return inputs.ended;
  if (inputs.ending) return 'running';
  if (inputs.paused) return inputs.running > 0 || !inputs.planned ? 'pausing' : 'paused';
  if (!inputs.planned) return 'planning';
  return inputs.running === 0 && inputs.blocked > 0 ? 'blocked' : 'running';
}

/** The operation as Markdown, for Temporal's own UI. */
export function progressMarkdown(
  state: OperationState,
  phases: readonly PlanPhase[],
  tasks: readonly TaskStatus[],
): string {
  const rows = phases.map((phase) => {
    const own = tasks.filter((task) => task.phase === phase.name);
    const count = (wanted: TaskStatus['state']) => own.filter((task) => task.state === wanted).length;
    return `| ${phase.title} | ${count('succeeded')}/${own.length} | ${count('running')} | ${count('blocked')} |`;
  });
  const blocked = tasks
    .filter((task) => task.state === 'blocked')
    .map((task) => `- **${task.phase} on ${task.host}**: ${task.error?.code ?? ''} ${task.error?.message ?? ''}`);
  return [
    `**${state}**`,
    '',
    '| phase | done | running | blocked |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    ...blocked,
  ].join('\n');
}
