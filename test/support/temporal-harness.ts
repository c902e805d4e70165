import { randomUUID } from 'node:crypto';
import { Client, Connection, WithStartWorkflowOperation, WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { defineUpdate } from '@temporalio/workflow';
import pino from 'pino';
import { inject } from 'vitest';
import type { RunRef } from '../../activities/operations/operation-log.ts';
import type { RefusalLog } from '../../activities/operations/refusal-log.ts';
import type {
  ActionResult,
  AmendInput,
  CancelInput,
  ClusterStatus,
  DecideInput,
  PauseInput,
  ResumeInput,
  SubmitOperation,
  SubmitResult,
} from '../../contracts/actions.ts';
import {
  clusterWorkflowId,
  operationWorkflowId,
  submitUpdateId,
  TASK_QUEUES,
  UPDATES,
  WORKFLOWS,
} from '../../contracts/messages.ts';
import type { Actor, Decision, DecisionAction, OperationResult, OperationStatus } from '../../contracts/operation.ts';
import { type RefusedMessage, stamped, withoutStamp } from '../../contracts/provenance.ts';
import { type RunningWorkers, startWorkers, type WorkerActivities } from '../../worker/run.ts';
import { installRuntime } from '../../worker/runtime.ts';
import { prepareNamespace } from '../../worker/temporal-server/namespace.ts';
import { TEST_CONVERTER, TEST_WORKER_CONVERTER } from './temporal-codec.ts';
import { type PhaseSketch, SPEC_REF } from './temporal-plan.ts';
import { World, worldActivities } from './temporal-world.ts';

export const ACTOR: Actor = { name: 'tester', role: 'admin' };

const submitUpdate = defineUpdate<SubmitResult, [SubmitOperation]>(UPDATES.submitOperation);

/** Phase names that fake workers serve. */
export const PHASES = ['one', 'two', 'three', 'four'];

/** Our workflows on the run's Temporal server, in a namespace of the file's own, with fake activities. */
export class Harness {
  readonly address: string;
  readonly namespace: string;
  readonly client: Client;
  private readonly worlds = new Map<string, World>();
  private workers: RunningWorkers | undefined;
  /** What strangers sent and was refused. */
  readonly refused: (RefusedMessage & RunRef)[] = [];
  private readonly refusals: RefusalLog = {
    refused: async (message, at) => {
      this.refused.push({ ...message, ...at });
    },
    close: async () => undefined,
  };

  private constructor(address: string, namespace: string, client: Client) {
    this.address = address;
    this.namespace = namespace;
    this.client = client;
  }

  /** `address`: a server of the file's own; default: the run's. */
  static async create(address: string = inject('temporalAddress')): Promise<Harness> {
    // Failures are what these tests are about: the SDK's reports of them would bury the results.
    quietRuntime();
    const namespace = `test-${randomUUID()}`;
    await prepareNamespace({ address, namespace });
    const connection = await Connection.connect({ address });
    return new Harness(address, namespace, new Client({ connection, namespace, dataConverter: TEST_CONVERTER }));
  }

  /** Workers in this process. Default: with the fake activities of the clusters' worlds. */
  async work(activities: WorkerActivities = worldActivities(this.worlds, PHASES)): Promise<void> {
    this.workers = await startWorkers({
      address: this.address,
      namespace: this.namespace,
      bundlePath: inject('workflowBundle'),
      activities,
      dataConverter: TEST_WORKER_CONVERTER,
      refusals: this.refusals,
    });
  }

  /** End the workers politely, as a restarted service does. */
  async rest(): Promise<void> {
    await this.workers?.shutdown();
    this.workers = undefined;
  }

  async close(): Promise<void> {
    await this.rest();
    await this.client.connection.close();
  }

  /** A new cluster with its fake hosts. */
  cluster(phases: PhaseSketch[]): ClusterHandle {
    const name = `c-${randomUUID().slice(0, 8)}`;
    const world = new World(phases);
    this.worlds.set(name, world);
    return new ClusterHandle(this.client, name, world);
  }
}

/** One cluster under test: the messages that the API would send. */
export class ClusterHandle {
  readonly name: string;
  readonly world: World;
  readonly client: Client;

  constructor(client: Client, name: string, world: World) {
    this.client = client;
    this.name = name;
    this.world = world;
  }

  async submit(more: Partial<SubmitOperation> = {}): Promise<SubmitResult> {
    const request: SubmitOperation = {
      kind: 'build',
      specRef: SPEC_REF,
      mode: 'apply',
      actor: ACTOR,
      requestId: randomUUID(),
      ...more,
    };
    const startWorkflowOperation = new WithStartWorkflowOperation(WORKFLOWS.cluster, {
      workflowId: clusterWorkflowId(this.name),
      taskQueue: TASK_QUEUES.workflows,
      args: [stamped({ cluster: this.name }, { message: `start/${WORKFLOWS.cluster}` })],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    return await this.client.workflow.executeUpdateWithStart(submitUpdate, {
      args: [stamped(request, { message: `update/${UPDATES.submitOperation}` })],
      updateId: submitUpdateId(request.requestId, request),
      startWorkflowOperation,
    });
  }

  decide(input: DecideInput): Promise<ActionResult> {
    return this.command(UPDATES.decide, input);
  }

  /** One decision about one host. */
  say(action: DecisionAction, host: string, more: Partial<Decision> = {}): Promise<ActionResult> {
    return this.decide({ items: [{ host, action, actor: ACTOR, requestId: randomUUID(), ...more }] });
  }

  retry(host: string, specRef?: string): Promise<ActionResult> {
    return this.say('retry', host, { specRef });
  }

  amend(input: Pick<AmendInput, 'host' | 'specRef' | 'baseSpecRef'>): Promise<ActionResult> {
    return this.command(UPDATES.amend, { actor: ACTOR, requestId: randomUUID(), ...input } satisfies AmendInput);
  }

  pause(mode: PauseInput['mode'], more: Partial<PauseInput> = {}): Promise<ActionResult> {
    return this.command(UPDATES.pause, { mode, actor: ACTOR, requestId: randomUUID(), ...more } satisfies PauseInput);
  }

  resume(): Promise<ActionResult> {
    return this.command(UPDATES.resume, { actor: ACTOR, requestId: randomUUID() } satisfies ResumeInput);
  }

  cancel(operationId?: string): Promise<ActionResult> {
    return this.update(clusterWorkflowId(this.name), UPDATES.cancelOperation, {
      actor: ACTOR,
      requestId: randomUUID(),
      operationId,
    } satisfies CancelInput);
  }

  operation(operationId: string) {
    return this.client.workflow.getHandle(operationWorkflowId(this.name, operationId));
  }

  status(): Promise<ClusterStatus> {
    return this.client.workflow.getHandle(clusterWorkflowId(this.name)).query<ClusterStatus>('status');
  }

  /** The operation's end. It may not have begun yet: the entity starts it a moment after it answered. */
  async result(operationId: string): Promise<OperationResult> {
    await this.until(async () => {
      const { running, recent } = await this.status();
      return running?.operationId === operationId || recent.some((each) => each.operationId === operationId);
    });
    await this.until(() => this.exists(operationId));
    return withoutStamp(await this.operation(operationId).result()) as OperationResult;
  }

  /** Wait until the last written status meets the wish. */
  async projected(wish: (status: OperationStatus) => boolean): Promise<OperationStatus> {
    const { statuses } = this.world;
    await this.until(async () => statuses.length > 0 && wish(statuses.at(-1)!));
    return statuses.at(-1)!;
  }

  async until(wish: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 40_000;
    while (!(await wish())) {
      if (Date.now() > deadline) {
        throw new Error(`waited in vain; last status ${JSON.stringify(this.world.statuses.at(-1), null, 1)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  private async exists(operationId: string): Promise<boolean> {
    return await this.operation(operationId)
      .describe()
      .then(
        () => true,
        () => false,
      );
  }

  /** To the operation that runs, or ran last. */
  private async command<Input extends object>(name: string, input: Input): Promise<ActionResult> {
    const { running, recent } = await this.status();
    const { operationId } = (running ?? recent[0])!;
    return await this.update(operationWorkflowId(this.name, operationId), name, input);
  }

  private update<Input extends object>(workflowId: string, name: string, input: Input): Promise<ActionResult> {
    return this.client.workflow
      .getHandle(workflowId)
      .executeUpdate<ActionResult, [Input]>(name, { args: [stamped(input, { message: `update/${name}` })] });
  }
}

/** The catalogue code with which a message was refused. */
export async function refusalOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
      return error.cause.type ?? 'untyped';
    }
    throw error;
  }
  return 'accepted';
}

/** The runtime is installed once per process; a second harness of a file finds it. */
function quietRuntime(): void {
  try {
    installRuntime(pino({ level: 'silent' }));
  } catch {
    // Installed by the file's first harness.
  }
}
