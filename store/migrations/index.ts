import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import type { Tables } from '../schema.ts';
import { initial } from './001-initial.ts';
import { tasks } from './003-tasks.ts';
import { quarantine } from './004-quarantine.ts';
import { notes } from './005-notes.ts';
import { tokenClusters } from './006-token-clusters.ts';
import { journalChain } from './007-journal-chain.ts';
import { bundles } from './008-bundles.ts';
import { signedHeads } from './009-signed-heads.ts';
import { addresses } from './021-addresses.ts';
import { credentialScopes } from './022-credential-scopes.ts';
import { processes } from './024-processes.ts';
import { commands } from './025-commands.ts';

/** Bring the database to the newest schema. Two processes may do it at once: on PostgreSQL one waits for the other. */
export async function migrate(db: Kysely<Tables>, binary: 'blob' | 'bytea'): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: {
      getMigrations: () =>
        Promise.resolve({
          '001-initial': { up: (given: Kysely<Tables>) => initial(given, binary) },
          '003-tasks': { up: tasks },
          '004-quarantine': { up: quarantine },
          '005-notes': { up: notes },
          '006-token-clusters': { up: tokenClusters },
          '007-journal-chain': { up: journalChain },
          '008-bundles': { up: (given: Kysely<Tables>) => bundles(given, binary) },
          '009-signed-heads': { up: signedHeads },
          '021-addresses': { up: addresses },
          '022-credential-scopes': { up: credentialScopes },
          '024-processes': { up: processes },
          '025-commands': { up: commands },
        }),
    },
  });
  const { error } = await migrator.migrateToLatest();
  if (error) throw error instanceof Error ? error : new Error('the schema could not be brought up to date');
}
