import type { Kysely } from 'kysely';
import { FINAL_STATES } from './changes.ts';
import type { Tables } from './schema.ts';
import { now } from './time.ts';

/** A command that an entity is about to take. */
export interface CommandClaim {
  cluster: string;
  /** Its name, such as `submitOperation`. */
  command: string;
  requestId: string;
  /** Who takes it: an update of one run of the entity. */
  owner: string;
  /** The operation that it is to start; '' when it starts none. */
  operationId: string;
}

/** Commands that were taken, each once, whatever becomes of the workflow that took it; and what tasks may run for. */
export interface CommandStore {
  /** Take a command, or learn who took it before: `owner` and `operationId` of the first one. */
  take(claim: CommandClaim): Promise<{ owner: string; operationId: string }>;
  /** The operation was submitted, and has not ended. */
  isOpen(cluster: string, operationId: string): Promise<boolean>;
  /** The operation was open when this database learned that payloads are sealed for a place. */
  isOlder(cluster: string, operationId: string): Promise<boolean>;
}

/** Commands are valid for some minutes only (COMMAND_LIFE_MS): after a day none can be replayed. */
const KEEP_MS = 24 * 3600 * 1000;

export function commandStore(db: Kysely<Tables>): CommandStore {
  return {
    async take({ cluster, command, requestId, owner, operationId }) {
      const at = now();
      await db
        .deleteFrom('taken_commands')
        .where('taken_at', '<', new Date(Date.now() - KEEP_MS).toISOString())
        .execute();
      await db
        .insertInto('taken_commands')
        .values({ cluster, command, request_id: requestId, owner, operation: operationId, taken_at: at })
        .onConflict((conflict) => conflict.columns(['cluster', 'command', 'request_id']).doNothing())
        .execute();
      const first = await db
        .selectFrom('taken_commands')
        .select(['owner', 'operation'])
        .where('cluster', '=', cluster)
        .where('command', '=', command)
        .where('request_id', '=', requestId)
        .executeTakeFirstOrThrow();
      return { owner: first.owner, operationId: first.operation };
    },
    async isOpen(cluster, operationId) {
      const row = await db
        .selectFrom('operations')
        .select('state')
        .where('cluster', '=', cluster)
        .where('id', '=', operationId)
        .executeTakeFirst();
      return row !== undefined && !FINAL_STATES.has(row.state as never);
    },
    async isOlder(cluster, operationId) {
      const row = await db
        .selectFrom('unsigned_operations')
        .select('id')
        .where('cluster', '=', cluster)
        .where('id', '=', operationId)
        .executeTakeFirst();
      return row !== undefined;
    },
  };
}
