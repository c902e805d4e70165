import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ConnectionOptions } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { temporalTrouble } from '../../codec/temporal-trouble.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { NAMESPACE, RETENTION_DAYS, SEARCH_ATTRIBUTES } from '../../contracts/messages.ts';

/** A namespace that was just made, or a server that was just restarted, may be unknown for some seconds. */
const SETTLE_MS = 15_000;
/** Pause between two questions, ms: the first, twice as long each time, at most so long. */
const RETRY_MS = { first: 100, most: 1_000 };
const CALL_MS = 5_000;

/** Status codes of gRPC. */
const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const UNAUTHENTICATED = 16;
/** We may not do this; others may have done it for us. */
const DENIED: readonly unknown[] = [PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED];

/** temporal.api.enums.v1.IndexedValueType, whose module does not export by name to ESM. */
const INDEXED_VALUE_TYPE = { KEYWORD: 2, BOOL: 5, KEYWORD_LIST: 7 } as const;
/** The types as Temporal's CLI spells them. */
const CLI_TYPE = { KEYWORD: 'Keyword', BOOL: 'Bool', KEYWORD_LIST: 'KeywordList' } as const;

type Attribute = keyof typeof SEARCH_ATTRIBUTES;
const ATTRIBUTES = Object.keys(SEARCH_ATTRIBUTES) as Attribute[];

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
  retryForMs?: number | undefined;
}

/**
 * Make the namespace what our workflows need: present, retention 90 days, our search attributes known. Repeating it
 * changes nothing, and without the right to make them it is enough that they are there. Throws TEMPORAL_SETUP_MISSING
 * with the commands that make what is missing, TEMPORAL_TLS_FAILED, TEMPORAL_NOT_ALLOWED, and TEMPORAL_UNAVAILABLE when
 * the server does not come round in time.
 */
export async function prepareNamespace(options: NamespaceOptions): Promise<void> {
  const namespace = options.namespace ?? NAMESPACE;
  const { address } = options;
  const until = Date.now() + (options.retryForMs ?? SETTLE_MS);
  // Without the SDK's own repetitions: the first answer says whether another try can help.
  const connection = Connection.lazy({ ...options.connect, address, interceptors: [] });
  const call = <T>(work: () => Promise<T>): Promise<T> =>
    retryUntil(until, address, () => connection.withDeadline(Date.now() + CALL_MS, work));
  try {
    await call(() => connection.workflowService.getSystemInfo({}));
    await makeNamespace(connection, namespace, call);
    await makeAttributes(connection, namespace, call);
  } finally {
    await connection.close();
  }
}

type Call = <T>(work: () => Promise<T>) => Promise<T>;

async function makeNamespace(connection: Connection, namespace: string, call: Call): Promise<void> {
  const { workflowService } = connection;
  const retention = { seconds: (RETENTION_DAYS * 24 * 3600) as unknown as Seconds, nanos: 0 };
  const made = await call(() =>
    answered(
      () => workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: retention }),
      [ALREADY_EXISTS, ...DENIED],
    ),
  );
  const there = await call(() =>
    answered(() => workflowService.describeNamespace({ namespace }), isDenied(made) ? [NOT_FOUND] : []),
  );
  if (there === NOT_FOUND) {
    throw missing(namespace, `the namespace ${namespace}`, [
      `temporal operator namespace create --namespace ${namespace} --retention ${RETENTION_DAYS}d`,
      ...attributeCommands(namespace, ATTRIBUTES),
    ]);
  }
  // The launcher's `--namespace` creates it with 24 h. Who may not set it keeps what is there.
  await call(() =>
    answered(
      () => workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: retention } }),
      DENIED,
    ),
  );
}

async function makeAttributes(connection: Connection, namespace: string, call: Call): Promise<void> {
  const { workflowService, operatorService } = connection;
  const searchAttributes = Object.fromEntries(
    ATTRIBUTES.map((name) => [name, INDEXED_VALUE_TYPE[SEARCH_ATTRIBUTES[name]]] as const),
  );
  const made = await call(() =>
    answered(() => operatorService.addSearchAttributes({ namespace, searchAttributes }), [ALREADY_EXISTS, ...DENIED]),
  );
  // A search that names an attribute is refused while there is none: that can be asked without any right to set up.
  const isKnown = async (name: Attribute): Promise<boolean> => {
    const value = SEARCH_ATTRIBUTES[name] === 'BOOL' ? 'true' : "'x'";
    const query = `${name} = ${value}`;
    const answer = await answered(
      () => workflowService.countWorkflowExecutions({ namespace, query }),
      [INVALID_ARGUMENT],
    );
    return answer !== INVALID_ARGUMENT;
  };
  // Visible to the frontend's cache only some seconds later; a workflow that upserts too early would fail its task. The
  // frontend takes 10 such questions a second of a namespace (frontend.namespaceRPS.visibility): what is known is not
  // asked for again.
  let absent: readonly Attribute[] = ATTRIBUTES;
  await call(async () => {
    const asked = absent;
    const known = await Promise.all(asked.map(isKnown));
    absent = asked.filter((_name, index) => !known[index]);
    if (absent.length === 0) return;
    if (!isDenied(made)) throw new Error(`search attributes not registered yet: ${absent.join(', ')}`);
    throw missing(
      namespace,
      `search attributes of ${namespace}: ${absent.join(', ')}`,
      attributeCommands(namespace, absent),
    );
  });
}

const attributeCommands = (namespace: string, names: readonly Attribute[]): string[] =>
  names.map(
    (name) =>
      `temporal operator search-attribute create --namespace ${namespace} --name ${name} ` +
      `--type ${CLI_TYPE[SEARCH_ATTRIBUTES[name]]}`,
  );

function missing(namespace: string, what: string, commands: string[]): KubewrightError {
  const message = `Temporal lacks ${what}, and this service may not create it in ${namespace}`;
  return new KubewrightError('TEMPORAL_SETUP_MISSING', message, { evidence: commands.join('\n') });
}

/** The answer, or the status code when it is one of those that are expected. */
async function answered(work: () => Promise<unknown>, expected: readonly unknown[]): Promise<unknown> {
  try {
    await work();
    return undefined;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (expected.includes(code)) return code;
    throw error;
  }
}

const isDenied = (answer: unknown): boolean => DENIED.includes(answer);

async function retryUntil<T>(until: number, address: string, attempt: () => Promise<T>): Promise<T> {
  for (let pauseMs = RETRY_MS.first; ; pauseMs = Math.min(2 * pauseMs, RETRY_MS.most)) {
    try {
      return await attempt();
    } catch (error) {
      if (KubewrightError.is(error)) throw error;
      const trouble = temporalTrouble(error, address, Date.now() > until);
      if (trouble) throw trouble;
      if (Date.now() > until) {
        throw new KubewrightError('TEMPORAL_UNAVAILABLE', `the Temporal server at ${address} refuses this service`, {
          cause: error,
          evidence: error instanceof Error ? error.message : String(error),
        });
      }
      await sleep(pauseMs);
    }
  }
}
