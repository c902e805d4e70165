import { type Client, type Connection, WorkflowNotFoundError } from '@temporalio/client';
import type { ClusterStatus } from '../contracts/actions.ts';
import { clusterWorkflowId, operationWorkflowId, QUERIES, WORKFLOWS } from '../contracts/messages.ts';

/** For one answer of the server or of a worker, ms. */
const DEADLINE_MS = 5_000;

/** See TemporalGateway.liveOperations. */
export async function liveOperations(
  client: Client,
  connection: Connection,
  cluster: string,
  ids: readonly string[],
): Promise<ReadonlySet<string> | null> {
  // A missing namespace answers as a missing workflow does.
  await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.workflowService.describeNamespace({ namespace: client.options.namespace }),
  );
  const live = new Set<string>();
  for (const id of ids) if (await isRunning(client, connection, operationWorkflowId(cluster, id))) live.add(id);
  const entity = clusterWorkflowId(cluster);
  if (live.size === ids.length || !(await isRunning(client, connection, entity))) return live;
  try {
    const { running, queued } = await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
      client.workflow.getHandle(entity).query<ClusterStatus>(QUERIES.status),
    );
    for (const { operationId } of [...(running ? [running] : []), ...queued]) live.add(operationId);
    return live;
  } catch {
    // Only a worker answers queries. Without one nothing is known of the queue; the next sweep asks again.
    return null;
  }
}

async function isRunning(client: Client, connection: Connection, workflowId: string): Promise<boolean> {
  try {
    const { status } = await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
      client.workflow.getHandle(workflowId).describe(),
    );
    return status.name === 'RUNNING' || status.name === 'PAUSED';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** Of one answer: what is beyond is found by the next look. */
const MOST_RUNNING = 1_000;
/** Operation ids have neither a slash nor more than 16 characters (workflows/lib/operation-id.ts). */
const OPERATION = /^cluster\/([a-z0-9-]{1,63})\/op\/([0-9a-z]{1,32})$/;

/** See TemporalGateway.runningOperations. */
export async function runningOperations(
  client: Client,
  connection: Connection,
): Promise<{ cluster: string; operationId: string }[]> {
  const { executions } = await connection.withDeadline(Date.now() + DEADLINE_MS, () =>
    connection.workflowService.listWorkflowExecutions({
      namespace: client.options.namespace,
      pageSize: MOST_RUNNING,
      query: `WorkflowType = '${WORKFLOWS.operation}' and ExecutionStatus = 'Running'`,
    }),
  );
  return executions.flatMap(({ execution }) => {
    const [, cluster, operationId] = OPERATION.exec(execution?.workflowId ?? '') ?? [];
    return cluster !== undefined && operationId !== undefined ? [{ cluster, operationId }] : [];
  });
}
