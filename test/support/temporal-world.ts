import { Context, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { ErrorCode } from '../../contracts/errors.ts';
import type { Health, HealthInput } from '../../contracts/health.ts';
import type {
  OperationInput,
  OperationStatus,
  TaskInput,
  TaskResult,
  TaskStatus,
  Turn,
} from '../../contracts/operation.ts';
import type { Plan } from '../../contracts/plan.ts';
import type { WorkerActivities } from '../../worker/run.ts';
import { type PhaseSketch, planOf } from './temporal-plan.ts';

/** What a fake task does. */
type Behaviour = (input: TaskInput) => Promise<void>;

/** The fake hosts of one cluster: what its tasks do, and what was called. */
export class World {
  readonly phases: PhaseSketch[];
  /** `phase:host` of every attempt, in order. */
  readonly attempts: string[] = [];
  /** Inputs of tasks that ended well. */
  readonly finished: TaskInput[] = [];
  readonly statuses: OperationStatus[] = [];
  readonly closed: OperationStatus[] = [];
  makePlanFailure: ApplicationFailure | undefined;
  /** Tasks by operation, as the store keeps them: statuses bring those that changed. */
  private readonly tasks = new Map<string, Map<string, TaskStatus>>();
  /** Changes that each task makes. */
  changes = 1;
  /** What each look at the health finds, in turn; the last one from then on. Null: the look fails. */
  health: (Health | null)[] = [];
  /** When a host that is to be changed asks for its turn, by what ended well until then. */
  turn: (host: string, finished: readonly TaskInput[]) => Turn | undefined = () => undefined;
  /** Inputs of the looks. */
  readonly looks: HealthInput[] = [];
  /** What the plans of this cluster say beside their phases: policy, quorum. */
  plan: Partial<Plan> = {};
  /** Hosts whose recorded key was dropped, in order. */
  readonly forgotten: string[] = [];
  /** Commands that were taken, as the store keeps them. */
  readonly taken = new Map<string, { owner: string; operationId: string }>();
  private readonly behaviours = new Map<string, Behaviour>();

  constructor(phases: PhaseSketch[]) {
    this.phases = phases;
  }

  on(task: string, behaviour: Behaviour): void {
    this.behaviours.set(task, behaviour);
  }

  /** From now on the task fails with this code; one that blames hosts, until all of them are in quarantine. */
  failing(task: string, code: ErrorCode = 'COMMAND_FAILED', nonRetryable = false, blames?: string[]): void {
    this.on(task, ({ quarantined = [] }) => {
      if (blames?.every((host) => quarantined.includes(host))) return Promise.resolve();
      const message = `${task} is made to fail`;
      throw ApplicationFailure.create({ type: code, message, nonRetryable, details: [{ code, message, blames }] });
    });
  }

  /** The task now ends well at once. */
  working(task: string): void {
    this.behaviours.delete(task);
  }

  /** The task runs, heartbeating, until `open()` or its cancellation. */
  gate(task: string): () => void {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.on(task, () => untilCancelled(opened));
    return () => open();
  }

  /** The status with all tasks, after keeping those that it brings. */
  stored = (status: OperationStatus): OperationStatus => {
    const known = this.tasks.get(status.operationId) ?? new Map<string, TaskStatus>();
    this.tasks.set(status.operationId, known);
    for (const task of status.tasks) known.set(`${task.phase}:${task.host}`, task);
    return { ...status, tasks: [...known.values()] };
  };

  count(task: string): number {
    return this.attempts.filter((each) => each === task).length;
  }

  async run(input: TaskInput): Promise<TaskResult> {
    const task = `${input.phase}:${input.host}`;
    this.attempts.push(task);
    await this.behaviours.get(task)?.(input);
    const turn = this.turn(input.host, this.finished);
    const held = this.changes > 0 && (input.probe === true || (input.window?.yields === true && turn === 'last'));
    if (held) {
      if (input.probe) this.finished.push(input);
      return { ...NOTHING, held: true, ...(turn ? { turn } : {}) };
    }
    this.finished.push(input);
    return { changes: [], changeCount: this.changes, restarts: [], commands: 1, durationMs: 1, commandMs: 1 };
  }
}

const NOTHING = { changes: [], changeCount: 0, restarts: [], commands: 1, durationMs: 1, commandMs: 1 };

function looked(world: World, input: HealthInput): Health {
  const health = world.health[Math.min(world.looks.push(input), world.health.length) - 1];
  if (!health) throw ApplicationFailure.create({ type: 'INTERNAL', message: 'made to fail', nonRetryable: true });
  return health;
}

async function untilCancelled(opened: Promise<void>): Promise<void> {
  const timer = setInterval(() => heartbeat(), 50);
  try {
    await Promise.race([opened, Context.current().cancelled]);
  } finally {
    clearInterval(timer);
  }
}

/** As the real plans: a build leaves out who is in quarantine unless it is named, a heal is about them. */
function outAndFocus(
  { kind, hosts, quarantine = [] }: OperationInput,
  phases: readonly PhaseSketch[],
): Pick<Plan, 'quarantined' | 'focus'> {
  const known = new Set(phases.flatMap((phase) => phase.hosts));
  const all = quarantine.map(({ host }) => host);
  const focus = kind === 'heal' ? (hosts ?? all) : undefined;
  const stay = all.filter((host) => known.has(host) && !(focus ?? hosts ?? []).includes(host));
  return { quarantined: stay, ...(focus ? { focus } : {}) };
}

function phasesFor(input: OperationInput, phases: readonly PhaseSketch[]): PhaseSketch[] {
  const { quarantined, focus } = outAndFocus(input, phases);
  const wanted = focus ?? input.hosts;
  return phases
    .map((phase) => ({
      ...phase,
      hosts: phase.hosts.filter(
        (host) => phase.clusterWide || ((wanted?.includes(host) ?? true) && !quarantined.includes(host)),
      ),
    }))
    .filter(({ hosts }) => hosts.length > 0);
}

/** Activities that serve every world of a file, told apart by the cluster's name. */
export function worldActivities(worlds: ReadonlyMap<string, World>, phaseNames: readonly string[]): WorkerActivities {
  const world = (cluster: string): World => {
    const found = worlds.get(cluster);
    if (!found) throw ApplicationFailure.nonRetryable(`no world for ${cluster}`);
    return found;
  };
  return {
    phases: Object.fromEntries(phaseNames.map((name) => [name, (input: TaskInput) => world(input.cluster).run(input)])),
    async health(input) {
      return { health: looked(world(input.cluster), input), commands: 1 };
    },
    control: {
      async makePlan(input: OperationInput) {
        const { phases, makePlanFailure, plan } = world(input.cluster);
        if (makePlanFailure) throw makePlanFailure;
        const { kind, specRef, mode } = input;
        return planOf(input.cluster, phasesFor(input, phases), {
          kind,
          specRef,
          mode,
          ...outAndFocus(input, phases),
          ...plan,
        });
      },
      async projectStatus(status) {
        const { statuses, stored } = world(status.cluster);
        statuses.push(stored(status));
      },
      async projectTasks({ cluster, operationId, tasks }) {
        const { statuses, stored } = world(cluster);
        const head = statuses.findLast((status) => status.operationId === operationId);
        if (head) statuses.push(stored({ ...head, tasks }));
      },
      async closeOperation({ status }) {
        const { closed, stored } = world(status.cluster);
        closed.push(stored(status));
        return {};
      },
      async takeCommand({ cluster, command, requestId, owner, operationId }) {
        const { taken } = world(cluster);
        const key = `${command} ${requestId}`;
        const first = taken.get(key) ?? { owner, operationId };
        taken.set(key, first);
        return first;
      },
      async forgetHost({ cluster, host }) {
        world(cluster).forgotten.push(host);
      },
    },
  };
}
