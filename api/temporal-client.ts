import {
  Client,
  type Connection,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { ApplicationFailure, type DataConverter } from '@temporalio/common';
import { exportHistories } from '../audit/temporal-export.ts';
import { temporalTrouble } from '../codec/temporal-trouble.ts';
import type { ActionResult, ClusterInput, SubmitResult } from '../contracts/actions.ts';
import { keepEnds } from '../contracts/cut.ts';
import { type ErrorReport, isErrorCode, KubewrightError } from '../contracts/errors.ts';
import {
  clusterWorkflowId,
  NAMESPACE,
  operationWorkflowId,
  submitUpdateId,
  TASK_QUEUES,
  UPDATES,
  WORKFLOWS,
} from '../contracts/messages.ts';
import { stamped } from '../contracts/provenance.ts';
import { sharedReads } from './shared-reads.ts';
import type { OperationHistory, TemporalGateway } from './temporal-gateway.ts';
import { readOperationHistory } from './temporal-history.ts';
import { liveOperations, runningOperations } from './temporal-live.ts';

/** How long a caller waits for an entity's answer, ms. Entities answer within one workflow task. */
const UPDATE_DEADLINE_MS = 5_000;
const READ_DEADLINE_MS = 20_000;
/** Below the time that a look of /readyz may take. */
const PING_DEADLINE_MS = 1_500;

/** The real Temporal. The connection may be lazy and is not closed here. */
export function temporalGateway(
  connection: Connection,
  options: { namespace?: string | undefined; dataConverter: DataConverter },
): TemporalGateway {
  const { namespace = NAMESPACE, dataConverter } = options;
  const client = new Client({ connection, namespace, dataConverter });

  const readShared = sharedReads<OperationHistory>();

  /** Update ids make a repetition of one request harmless. */
  const send = (
    cluster: string,
    workflowId: string,
    update: string,
    { requestId }: { requestId: string },
    input: object,
  ): Promise<ActionResult> =>
    translateErrors(cluster, () =>
      connection.withDeadline(Date.now() + UPDATE_DEADLINE_MS, () =>
        client.workflow.getHandle(workflowId).executeUpdate<ActionResult, [object]>(update, {
          args: [stamped(input, { message: `update/${update}` })],
          updateId: `${update}:${requestId}`,
        }),
      ),
    );
  const toOperation = async (
    cluster: string,
    operationId: string,
    update: string,
    base: { requestId: string },
    input: object,
  ): Promise<ActionResult> => {
    try {
      return await send(cluster, operationWorkflowId(cluster, operationId), update, base, input);
    } catch (error) {
      if (!KubewrightError.is(error) || error.code !== 'NOT_FOUND') throw error;
      throw new KubewrightError('CONFLICT', `operation ${operationId} has just ended`, { cause: error });
    }
  };

  return {
    submit: (cluster, request, state) =>
      translateErrors(cluster, () =>
        connection.withDeadline(Date.now() + UPDATE_DEADLINE_MS, () =>
          client.workflow.executeUpdateWithStart<(input: ClusterInput) => Promise<void>, SubmitResult, [object]>(
            UPDATES.submitOperation,
            {
              args: [stamped(request, { message: `update/${UPDATES.submitOperation}` })],
              updateId: submitUpdateId(request.requestId, request),
              startWorkflowOperation: new WithStartWorkflowOperation(WORKFLOWS.cluster, {
                workflowId: clusterWorkflowId(cluster),
                taskQueue: TASK_QUEUES.workflows,
                args: [stamped({ cluster, ...(state ? { state } : {}) }, { message: `start/${WORKFLOWS.cluster}` })],
                workflowIdConflictPolicy: 'USE_EXISTING',
                staticSummary: `cluster ${cluster}`,
              }),
            },
          ),
        ),
      ),
    decide: (cluster, operation, input) =>
      toOperation(cluster, operation, UPDATES.decide, input.items[0] ?? { requestId: 'none' }, input),
    amend: (cluster, operation, input) => toOperation(cluster, operation, UPDATES.amend, input, input),
    pause: (cluster, operation, input) => toOperation(cluster, operation, UPDATES.pause, input, input),
    resume: (cluster, operation, input) => toOperation(cluster, operation, UPDATES.resume, input, input),
    cancel: (cluster, input) => send(cluster, clusterWorkflowId(cluster), UPDATES.cancelOperation, input, input),
    liveOperations: (cluster, ids) => translateErrors('', () => liveOperations(client, connection, cluster, ids)),
    runningOperations: () => translateErrors('', () => runningOperations(client, connection)),
    cancelWorkflow: (cluster, operationId) =>
      translateErrors(cluster, async () => {
        await connection.withDeadline(Date.now() + UPDATE_DEADLINE_MS, () =>
          client.workflow.getHandle(operationWorkflowId(cluster, operationId)).cancel(),
        );
      }),
    history: (cluster, operationId) =>
      readShared(`${cluster}/${operationId}`, () =>
        translateErrors(cluster, () =>
          connection.withDeadline(Date.now() + READ_DEADLINE_MS, () =>
            readOperationHistory(client, namespace, operationWorkflowId(cluster, operationId)),
          ),
        ),
      ),
    async *histories(cluster, operationId) {
      try {
        yield* exportHistories(client, namespace, operationWorkflowId(cluster, operationId));
      } catch (error) {
        throw translated(cluster, error);
      }
    },
    ping: () =>
      translateErrors('', async () => {
        await connection.withDeadline(Date.now() + PING_DEADLINE_MS, () =>
          connection.workflowService.describeNamespace({ namespace }),
        );
      }),
  };
}

const GRPC_NOT_FOUND = 5;

/** Whatever Temporal throws, in our words. */
async function translateErrors<T>(cluster: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translated(cluster, error);
  }
}

function translated(cluster: string, error: unknown): KubewrightError {
  if (KubewrightError.is(error)) return error;
  const { cause } = error as { cause?: unknown };
  if (KubewrightError.is(cause)) return cause;
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    const { type, message, details } = error.cause;
    const report = details?.[0] as ErrorReport | undefined;
    if (isErrorCode(type)) {
      return new KubewrightError(type, report?.message ?? message, { cause: error, evidence: report?.evidence });
    }
    return new KubewrightError('INTERNAL', `the cluster ${cluster} refused the action: ${message}`, { cause: error });
  }
  const code =
    (error as { code?: unknown; cause?: { code?: unknown } }).code ??
    (error as { cause?: { code?: unknown } }).cause?.code;
  if (cluster !== '' && (error instanceof WorkflowNotFoundError || code === GRPC_NOT_FOUND)) {
    return new KubewrightError('NOT_FOUND', `Temporal has no such workflow of the cluster ${cluster}`, {
      cause: error,
    });
  }
  const trouble = temporalTrouble(error, 'TEMPORAL_ADDRESS');
  if (trouble) return trouble;
  return new KubewrightError('TEMPORAL_UNAVAILABLE', 'Temporal, or a worker, did not answer in time', {
    cause: error,
    evidence: error instanceof Error ? keepEnds(error.message, 500) : undefined,
  });
}
