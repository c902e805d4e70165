import { Client, Connection } from '@temporalio/client';
import { openMessage } from '../../../codec/open-messages.ts';
import { payloadCodec } from '../../../codec/payload-codec.ts';
import { clusterWorkflowId, NAMESPACE, operationWorkflowId } from '../../../contracts/messages.ts';
import { execInHost } from '../../../lab/faults.ts';
import type { Lab } from '../../../lab/lab.ts';
import type { PayloadKeys } from '../../../store/payload-keys.ts';

/** What Temporal wrote of one task's activity. */
export interface CompletedTask {
  operation: string;
  /** Of its operation: another one has the same ids. */
  activityId: string;
  /** ms since the epoch. */
  completedAt: number;
  attempt: number;
}

export interface TemporalEvidence {
  /** Causes of failed workflow tasks of the entity and the operations. */
  failedWorkflowTasks: string[];
  completed: CompletedTask[];
}

/** Histories of the cluster's entity and of its operations, read from Temporal itself and opened with our keys. */
export async function temporalEvidence(
  address: string,
  cluster: string,
  operations: readonly string[],
  keys: PayloadKeys,
): Promise<TemporalEvidence> {
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection, namespace: NAMESPACE });
    const found: TemporalEvidence = { failedWorkflowTasks: [], completed: [] };
    const workflows = new Map([
      [clusterWorkflowId(cluster), ''],
      ...operations.map((operation) => [operationWorkflowId(cluster, operation), operation] as const),
    ]);
    for (const [id, operation] of workflows) {
      const { events } = await client.workflow.getHandle(id).fetchHistory();
      const activities = new Map<string, string>();
      const attempts = new Map<string, number>();
      for (const event of events ?? []) {
        const failed = event.workflowTaskFailedEventAttributes;
        if (failed) {
          const { failure, cause } = await openMessage(failed, payloadCodec(keys));
          const words = [failure?.message, failure?.stackTrace, failure?.cause?.message].filter(Boolean).join(' | ');
          found.failedWorkflowTasks.push(`${id}, event ${event.eventId} (cause ${cause}): ${words}`);
        }
        const scheduled = event.activityTaskScheduledEventAttributes;
        if (scheduled) activities.set(String(event.eventId), scheduled.activityId ?? '');
        const started = event.activityTaskStartedEventAttributes;
        if (started) attempts.set(String(started.scheduledEventId), started.attempt ?? 1);
        const completed = event.activityTaskCompletedEventAttributes;
        if (completed) {
          found.completed.push({
            operation,
            activityId: activities.get(String(completed.scheduledEventId)) ?? '',
            completedAt: Number(event.eventTime?.seconds ?? 0) * 1000 + (event.eventTime?.nanos ?? 0) / 1e6,
            attempt: attempts.get(String(completed.scheduledEventId)) ?? 1,
          });
        }
      }
    }
    return found;
  } finally {
    await connection.close();
  }
}

/** Temporary files of ours, and processes that SSH sessions left behind: `<host>: <what>`. */
export async function straysOn(lab: Lab): Promise<string[]> {
  const script = `
find / -xdev \\( -name '*.kubewright-new' -o -name '*.kubewright.[0-9]*' -o -name '*.kubewright-part*' \\) 2>/dev/null
find /run -maxdepth 1 -name 'kubewright*.????????' 2>/dev/null
ps -e -o cgroup=,comm=,args= | grep -E '(user\\.slice|/ssh\\.service)' | grep -vE ' (sshd|systemd|\\(sd-pam\\)) ' || :`;
  const found = await Promise.all(
    lab.hosts.map(async ({ name }) => {
      const { stdout } = await execInHost(lab, name, ['sh', '-c', script]);
      return stdout
        .split('\n')
        .flatMap((line) => (line.trim() === '' ? [] : [`${name}: ${line.trim().slice(0, 300)}`]));
    }),
  );
  return found.flat();
}

/** What kubectl says on the first control plane: nodes and pods that are not as they should be. Empty when all is well. */
export async function clusterProblems(lab: Lab): Promise<string[]> {
  const kubectl = async (what: string): Promise<string> => {
    const argv = ['kubectl', '--kubeconfig', '/etc/kubewright/admin.kubeconfig', '--request-timeout=10s'];
    const { code, stdout, stderr } = await execInHost(lab, lab.hosts[0]!.name, [...argv, ...what.split(' ')]);
    if (code !== 0) throw new Error(`kubectl ${what}: ${stderr}`);
    return stdout;
  };
  const nodes = (await kubectl('get nodes --no-headers')).trim().split('\n').map(words);
  const pods = (await kubectl('get pods --all-namespaces --no-headers')).trim().split('\n').map(words);
  const names = nodes.map(([name]) => name);
  return [
    ...lab.hosts.filter(({ name }) => !names.includes(name)).map(({ name }) => `no node ${name}`),
    ...nodes.filter(([, state]) => state !== 'Ready').map((node) => `node ${node.join(' ')}`),
    ...pods.filter(([, , ready, state]) => !isUp(ready, state)).map((pod) => `pod ${pod.join(' ')}`),
  ];
}

const words = (line: string): string[] => line.trim().split(/\s+/);

function isUp(ready = '', state = ''): boolean {
  const [up, all] = ready.split('/');
  return state === 'Running' && up === all;
}
