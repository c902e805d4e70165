import { scheduleActivity } from '@temporalio/workflow';
import { traitsOf } from '../contracts/earlier-kinds.ts';
import type { Health, HealthInput, HealthResult } from '../contracts/health.ts';
import { HEALTH_ACTIVITY, TASK_QUEUES } from '../contracts/messages.ts';
import type { OperationInput, QuarantinedHost, TaskStatus } from '../contracts/operation.ts';
import type { Plan } from '../contracts/plan.ts';
import { reportOf } from './task-activity.ts';

/** Longer than a look with its wait for what settles, ms. */
const CHECK_TIMEOUT_MS = 60_000;

/** What the look asks of the operation's runner. */
interface Progress {
  readonly tasks: readonly TaskStatus[];
  readonly changeCount: number;
}

/**
 * The look at the cluster's health with which an operation ends. It never fails one: what could not be looked at is
 * `unknown`. Where nothing was changed, it begins beside the last tasks, so that it costs no time of its own.
 */
export class HealthCheck {
  /** What was found, once the operation is over. */
  found: Health | undefined;
  private readonly plan: Plan;
  private readonly input: OperationInput;
  private readonly present: () => [specRef: string, quarantine: QuarantinedHost[]];
  private early: Promise<Health> | undefined;

  /** `present`: the operation's spec and quarantine, which decisions change. */
  constructor(plan: Plan, input: OperationInput, present: () => [string, QuarantinedHost[]]) {
    this.plan = plan;
    this.input = input;
    this.present = present;
  }

  /** Called after every change of a task: begins early where only the last tasks run, and none has changed anything. */
  begin({ tasks, changeCount }: Progress): void {
    if (this.early || (changeCount > 0 && this.plan.mode === 'apply') || tasks.length > this.plan.tasksPerWorkflow)
      return;
    const runs = tasks.filter(({ state }) => state === 'running').length;
    const over = tasks.filter(({ state }) => state === 'succeeded' || state === 'skipped').length;
    if (runs === 0 || over === 0 || runs + over < tasks.length) return;
    this.early = this.check(false, 1);
  }

  /** Called when the operation is over. */
  async end(changeCount: number): Promise<void> {
    const isCheck = this.plan.mode === 'check';
    const early = changeCount === 0 || isCheck ? await this.early : undefined;
    // One that found something may have looked before the last task had waited for it to pass.
    const isFinal = early !== undefined && (isCheck || early.state === 'healthy');
    this.found = isFinal ? early : await this.check(!isCheck && changeCount > 0, 2);
  }

  private async check(settle: boolean, n: number): Promise<Health> {
    const { cluster, operationId, actor, requestId } = this.input;
    const [specRef, quarantine] = this.present();
    const input: HealthInput = {
      cluster,
      operationId,
      specRef,
      settle,
      hosts: this.plan.health!.hosts,
      gone: traitsOf(this.input).effect === 'removes' ? (this.input.hosts ?? []) : [],
      quarantined: quarantine.map(({ host, why, since }) => ({ host, why, since })),
      actor: actor.name,
      ...(actor.id === undefined ? {} : { actorId: actor.id }),
      requestId,
    };
    try {
      const { health } = await scheduleActivity<HealthResult>(HEALTH_ACTIVITY, [input], {
        activityId: `health:${n}`,
        taskQueue: TASK_QUEUES.ssh,
        summary: 'check the health of the cluster',
        startToCloseTimeout: CHECK_TIMEOUT_MS,
        heartbeatTimeout: this.plan.heartbeatTimeoutMs,
        retry: { maximumAttempts: 3, initialInterval: '500ms' },
      });
      return health;
    } catch (error) {
      const { code, message } = reportOf(error);
      const reason = 'the health of the cluster could not be checked';
      const why = {
        code: 'NOT_LOOKED_AT' as const,
        subject: `cluster ${cluster}`,
        reason,
        evidence: `${code}: ${message}`,
      };
      return { state: 'unknown', at: new Date().toISOString(), operationId, reasons: [why], reasonCount: 1 };
    }
  }
}
