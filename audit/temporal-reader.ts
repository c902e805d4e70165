import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { readingConverter } from '../codec/data-converter.ts';
import { temporalTarget } from '../codec/temporal-target.ts';
import { KubewrightError } from '../contracts/errors.ts';
import { NAMESPACE, operationWorkflowId, WORKFLOWS } from '../contracts/messages.ts';
import type { Store } from '../store/index.ts';
import { type Keyring, openKeyring } from '../store/keyring.ts';

import { exportHistories } from './temporal-export.ts';
import type { TemporalReader } from './verify-temporal.ts';

const GRPC_NOT_FOUND = 5;

/** The keys that open what Temporal keeps. Makes none: throws when there is none. */
export function keysForTemporal(data: string): Keyring {
  const given = process.env['KUBEWRIGHT_SECRET_KEY'];
  if ((given ?? '') === '' && !existsSync(join(data, 'secret.key'))) {
    throw new Error(
      `payloads in Temporal are sealed: give KUBEWRIGHT_SECRET_KEY, or a folder with secret.key by --data`,
    );
  }
  return openKeyring(data, given);
}

/** Reads histories at an address, with TLS and API key as the SDK's environment says. `close` ends the connection. */
export async function temporalReader(
  store: Pick<Store, 'payloadKeys'>,
  address: string,
  given?: string,
): Promise<TemporalReader & { close: () => Promise<void> }> {
  const { target, problems } = temporalTarget(process.env);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const namespace = given ?? target.namespace ?? NAMESPACE;
  const connection = await Connection.connect({ ...target.connect, address });
  const client = new Client({ connection, namespace, dataConverter: readingConverter(store.payloadKeys) });
  return {
    async *histories(cluster, operation) {
      try {
        yield* exportHistories(client, namespace, operationWorkflowId(cluster, operation));
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError) && (error as { code?: unknown }).code !== GRPC_NOT_FOUND)
          throw error;
        throw new KubewrightError('NOT_FOUND', 'Temporal has no such workflow', { cause: error });
      }
    },
    async *operations() {
      for await (const { workflowId } of client.workflow.list({ query: `WorkflowType = '${WORKFLOWS.operation}'` })) {
        const [, cluster, operation] = /^cluster\/([^/]+)\/op\/([^/]+)$/.exec(workflowId) ?? [];
        if (cluster !== undefined && operation !== undefined) yield { cluster, operation };
      }
    },
    close: () => connection.close(),
  };
}
