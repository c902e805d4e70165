import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ConnectionOptions } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { KubewrightError } from '../../contracts/errors.ts';
import { NAMESPACE, RETENTION_DAYS, SEARCH_ATTRIBUTES } from '../../contracts/messages.ts';

/** A namespace that was just made, or a server that was just restarted, may be unknown for some seconds. */
const SETTLE_MS = 15_000;
const RETRY_MS = 100;
const GRPC_ALREADY_EXISTS = 6;

/** temporal.api.enums.v1.IndexedValueType, whose module does not export by name to ESM. */
const INDEXED_VALUE_TYPE = { KEYWORD: 2, BOOL: 5, KEYWORD_LIST: 7 } as const;

// The wire code takes a plain number where the generated types ask for a Long.
type Seconds = NonNullable<
  NonNullable<temporal.api.workflowservice.v1.IRegisterNamespaceRequest['workflowExecutionRetentionPeriod']>['seconds']
>;

export interface NamespaceOptions {
  address: string;
  namespace?: string | undefined;
  /** TLS and the like. */
  connect?: Omit<ConnectionOptions, 'address'> | undefined;
  /** How long the server may take to come round, ms; default 15 s. */
  settleMs?: number | undefined;
}

/**
 * Make the namespace what our workflows need: present, retention 90 days, our search attributes known. Repeating it
 * changes nothing. Throws TEMPORAL_UNAVAILABLE when the server does not come round in time.
 */
export async function prepareNamespace(options: NamespaceOptions): Promise<void> {
  const namespace = options.namespace ?? NAMESPACE;
  const deadline = Date.now() + (options.settleMs ?? SETTLE_MS);
  const connection = await settle(deadline, () =>
    Connection.connect({ connectTimeout: 2_000, ...options.connect, address: options.address }),
  );
  try {
    const retention = { seconds: (RETENTION_DAYS * 24 * 3600) as unknown as Seconds, nanos: 0 };
    await settle(deadline, async () => {
      try {
        await connection.workflowService.registerNamespace({
          namespace,
          workflowExecutionRetentionPeriod: retention,
        });
      } catch (error) {
        if ((error as { code?: number }).code !== GRPC_ALREADY_EXISTS) throw error;
      }
    });
    // The launcher's `--namespace` creates it with 24 h.
    await settle(deadline, () =>
      connection.workflowService.updateNamespace({
        namespace,
        config: { workflowExecutionRetentionTtl: retention },
      }),
    );
    const wanted = Object.entries(SEARCH_ATTRIBUTES).map(([name, type]) => [name, INDEXED_VALUE_TYPE[type]] as const);
    await settle(deadline, () =>
      connection.operatorService.addSearchAttributes({ namespace, searchAttributes: Object.fromEntries(wanted) }),
    );
    // Visible to the frontend's cache only a moment later; a workflow that upserts too early would fail its task.
    await settle(deadline, async () => {
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
      if (!wanted.every(([name]) => customAttributes && name in customAttributes)) {
        throw new Error('search attributes not registered yet');
      }
    });
  } finally {
    await connection.close();
  }
}

async function settle<T>(deadline: number, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) {
        throw new KubewrightError('TEMPORAL_UNAVAILABLE', 'the Temporal server does not accept our namespace', {
          cause: error,
          evidence: error instanceof Error ? error.message : String(error),
        });
      }
      await sleep(RETRY_MS);
    }
  }
}
