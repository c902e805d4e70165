import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import { KubewrightError } from '../contracts/errors.ts';
import { type Addresses, addresses } from './addresses.ts';
import { type AnchorStore, anchorStore } from './anchors.ts';
import { type ApprovalStore, approvalStore } from './approvals.ts';
import { type BlobStore, blobStore } from './blobs.ts';
import { type BundleStore, bundleStore } from './bundles.ts';
import { type ChainReader, chainReader } from './chain-reader.ts';
import { type ClusterStateStore, clusterState } from './cluster-state.ts';
import { type CommandKeys, commandKeys } from './command-keys.ts';
import { type CommandStore, commandStore } from './commands.ts';
import { type CredentialStore, credentialStore } from './credentials.ts';
import { type EventLog, eventLog } from './events.ts';
import { asStoreError, guarded } from './guard.ts';
import { type HostKeys, hostKeyStore } from './host-keys.ts';
import { type Journal, journal } from './journal.ts';
import type { Keyring } from './keyring.ts';
import { migrate } from './migrations/index.ts';
import { type OperationRows, operationRows } from './operation-rows.ts';
import { type PayloadKeys, payloadKeys } from './payload-keys.ts';
import { type PlanStore, planStore } from './plans.ts';
import { openPostgres } from './postgres.ts';
import { type Processes, processStore } from './processes.ts';
import { type Projections, projections } from './projections.ts';
import { openReadOnly } from './read-only.ts';
import { type RequestStore, requestStore } from './requests.ts';
import { type RetentionStore, retentionStore } from './retention.ts';
import { type SecretRotation, secretRotation } from './rotation.ts';
import type { Tables } from './schema.ts';
import { type SecretStore, secretStore } from './secrets.ts';
import { type SessionStore, sessionStore } from './sessions.ts';
import { type SpecStore, specStore } from './specs.ts';
import { openSqlite } from './sqlite.ts';
import { type StatisticsReader, statisticsReader } from './statistics.ts';
import { type TaskChangesStore, taskChangesStore } from './task-changes.ts';
import { type TaskPages, taskPages } from './task-pages.ts';
import { type TokenStore, tokenStore } from './tokens.ts';

/** Our database: what happened, secrets, and read models. Every method throws KubewrightError; STORE_BUSY, STORE_FULL, and STORE_FAILED for the rest. */
export interface Store {
  specs: SpecStore;
  addresses: Addresses;
  statistics: StatisticsReader;
  secrets: SecretStore;
  credentials: CredentialStore;
  approvals: ApprovalStore;
  payloadKeys: PayloadKeys;
  commandKeys: CommandKeys;
  commands: CommandStore;
  rotation: SecretRotation;
  hostKeys: HostKeys;
  tokens: TokenStore;
  sessions: SessionStore;
  journal: Journal;
  chains: ChainReader;
  anchors: AnchorStore;
  bundles: BundleStore;
  blobs: BlobStore;
  projections: Projections;
  events: EventLog;
  plans: PlanStore;
  tasks: TaskPages;
  taskChanges: TaskChangesStore;
  operationRows: OperationRows;
  requests: RequestStore;
  clusterState: ClusterStateStore;
  retention: RetentionStore;
  processes: Processes;
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface StoreOptions {
  /** `postgres://...`; without it the file `kubewright.db` in `dataDir`. */
  url?: string | undefined;
  dataDir?: string | undefined;
  keyring: Keyring;
  logger?: { warn(details: object, message: string): void } | undefined;
}

/** Open the database and bring its schema up to date. Throws STORE_FAILED, STORE_BUSY, STORE_FULL. */
export async function openStore({ url, dataDir, keyring, logger }: StoreOptions): Promise<Store> {
  let db: Kysely<Tables> | undefined;
  try {
    if (url !== undefined) {
      const migrating = openPostgres(url, () => undefined, { unlimited: true });
      try {
        await migrate(migrating, 'bytea');
      } finally {
        await migrating.destroy();
      }
      db = openPostgres(url, (error) => logger?.warn({ err: error }, 'an idle database connection failed'));
    } else if (dataDir !== undefined) {
      db = openSqlite(join(dataDir, 'kubewright.db'));
      await migrate(db, 'blob');
    } else {
      throw new KubewrightError('STORE_FAILED', 'neither a database address nor a data directory is given');
    }
    await requireKeys(db, keyring);
    return storeOn(db, url === undefined ? 'sqlite' : 'postgres', keyring);
  } catch (error) {
    await db?.destroy().catch(() => undefined);
    throw asStoreError(error);
  }
}

/** The same for reading alone: nothing is written, no schema is changed. Throws STORE_FAILED. */
export async function openStoreReadOnly({ url, dataDir, keyring }: StoreOptions & { dataDir: string }): Promise<Store> {
  try {
    const { db, release } = await openReadOnly({ url, file: join(dataDir, 'kubewright.db') });
    return { ...storeOn(db, url === undefined ? 'sqlite' : 'postgres', keyring), ...guarded({ close: release }) };
  } catch (error) {
    throw asStoreError(error);
  }
}

/**
 * Refuse a database whose secrets none of our keys opens: a new key would let the service start, and every credential, CA
 * and payload of running operations would be unreadable. A keyring without keys is that of a reader without secrets.
 */
async function requireKeys(db: Kysely<Tables>, keyring: Keyring): Promise<void> {
  if (keyring.ids.length === 0) return;
  const rows = await db.selectFrom('secrets').select('key_id').distinct().orderBy('key_id').execute();
  const sealing = rows.map(({ key_id }) => key_id);
  if (sealing.length === 0 || sealing.some((id) => keyring.key(id))) return;
  keyring.file?.removeIfNew();
  throw new KubewrightError(
    'SECRET_KEY_LOST',
    'the database holds encrypted secrets, and the key that decrypts them is missing',
    {
      evidence: `ids of the keys that seal them: ${sealing.join(', ')}; of the available keys: ${keyring.ids.join(', ')}`,
    },
  );
}

function storeOn(db: Kysely<Tables>, engine: 'sqlite' | 'postgres', keyring: Keyring): Store {
  const specs = guarded(specStore(db));
  const secrets = guarded(secretStore(db, keyring));
  const keys = guarded(payloadKeys(secrets));
  const blobs = guarded(blobStore(db));
  return {
    specs,
    addresses: guarded(addresses(db)),
    statistics: guarded(statisticsReader(db, engine)),
    secrets,
    blobs,
    credentials: guarded(credentialStore(secrets)),
    approvals: guarded(approvalStore(db)),
    payloadKeys: keys,
    commandKeys: guarded(commandKeys(secrets)),
    commands: guarded(commandStore(db)),
    rotation: guarded(secretRotation(db, keyring, keys)),
    hostKeys: guarded(hostKeyStore(db)),
    tokens: guarded(tokenStore(db)),
    sessions: guarded(sessionStore(db)),
    journal: guarded(journal(db, blobs)),
    chains: guarded(chainReader(db)),
    anchors: guarded(anchorStore(db)),
    bundles: guarded(bundleStore(db)),
    projections: guarded(projections(db, specs)),
    events: guarded(eventLog(db)),
    plans: guarded(planStore(db)),
    tasks: guarded(taskPages(db)),
    taskChanges: guarded(taskChangesStore(db)),
    operationRows: guarded(operationRows(db)),
    requests: guarded(requestStore(db)),
    clusterState: guarded(clusterState(db)),
    retention: guarded(retentionStore(db)),
    processes: guarded(processStore(db)),
    ...guarded({
      ping: async () => {
        await sql`select 1`.execute(db);
      },
      close: () => db.destroy(),
    }),
  };
}
