import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { temporalGateway } from '../../api/temporal-client.ts';
import type { TemporalReader } from '../../audit/verify-temporal.ts';
import { readingConverter } from '../../codec/data-converter.ts';
import { NAMESPACE, WORKFLOWS } from '../../contracts/messages.ts';
import type { Store } from '../../store/index.ts';
import { type Keyring, openKeyring } from '../../store/keyring.ts';

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

/** Reads histories at an address. `close` ends the connection. */
export async function temporalReader(
  store: Pick<Store, 'payloadKeys'>,
  address: string,
  namespace: string = NAMESPACE,
): Promise<TemporalReader & { close: () => Promise<void> }> {
  const connection = await Connection.connect({ address });
  const { histories } = temporalGateway(connection, { namespace, dataConverter: readingConverter(store.payloadKeys) });
  const client = new Client({ connection, namespace });
  return {
    histories,
    async *operations() {
      for await (const { workflowId } of client.workflow.list({ query: `WorkflowType = '${WORKFLOWS.operation}'` })) {
        const [, cluster, operation] = /^cluster\/([^/]+)\/op\/([^/]+)$/.exec(workflowId) ?? [];
        if (cluster !== undefined && operation !== undefined) yield { cluster, operation };
      }
    },
    close: () => connection.close(),
  };
}
