import { createHash } from 'node:crypto';
import type { OperationStatus } from '../../contracts/operation.ts';
import { parseClusterSpec } from '../../contracts/spec-parse.ts';
import type { Store } from '../../store/index.ts';
import { NO_OUTPUT } from '../../store/journal-record.ts';

/** An address that no other name has, as far as tests go: no machine is in two clusters. */
function addressFor(name: string): string {
  const [a = 0, b = 0] = createHash('sha256').update(name).digest();
  return `198.${18 + (a % 2)}.${a}.${b}`;
}

/** The spec of a cluster of one host, as JSON. */
export const specText = (name: string, more: object = {}, address = addressFor(name)): string =>
  JSON.stringify({
    apiVersion: 'kubewright.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name },
    spec: {
      hosts: [{ name: 'cp-1', address, roles: ['control-plane', 'etcd', 'worker', 'registry'] }],
      ssh: { credential: { keyFile: '/root/key' } },
      ...more,
    },
  });

/** An operation as a worker would have saved it: the cluster is there from then on. */
export async function seedOperation(
  store: Store,
  cluster: string,
  more: Partial<OperationStatus> = {},
  spec: object = {},
): Promise<void> {
  const specRef = await store.specs.put(parseClusterSpec(specText(cluster, spec), 'application/json'));
  await store.projections.saveOperation({
    operationId: 'op-1',
    cluster,
    kind: 'build',
    mode: 'apply',
    state: 'running',
    actor: 'admin',
    specRef,
    startedAt: new Date().toISOString(),
    tasks: [],
    blockedHosts: [],
    quarantinedHosts: [],
    ...more,
  });
}

/** A command on a host, as a worker would have written it down. */
export async function seedCommand(store: Store, cluster: string, argv: string[]): Promise<void> {
  const at = new Date();
  await store.journal.record(
    {
      ...{ kind: 'exec', actor: 'admin', requestId: 'r-1', cluster, operation: 'op-1', host: 'cp-1', argv },
      ...{ stdinSha256: null, stdinBytes: 0, startedAt: at },
    },
    { ...NO_OUTPUT, endedAt: at, code: 0, error: null },
  );
}
