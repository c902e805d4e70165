import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { createAnchorer } from '../../api/anchorer.ts';
import { openSigner } from '../../audit/signing-key.ts';
import { openStore } from '../../store/index.ts';
import { beginLine, endLine, lineHash, NO_HASH } from '../../store/journal-record.ts';
import { openKeyring } from '../../store/keyring.ts';
import type { JournalRow } from '../../store/schema.ts';

/** Rewrites a chain from its start so that it is a proper chain again: all that an unkeyed chain asks of a forger. */
export function rechain(database: DatabaseSync, chain: string): void {
  const links = database.prepare('select pos, n, record, part from links where chain = ? order by n').all(chain);
  let prev = NO_HASH;
  for (const { pos, n, record, part } of links) {
    const row = database.prepare('select * from journal where id = ?').get(record!) as unknown as JournalRow;
    const place = { chain, n: Number(n), prev };
    prev = lineHash(part === 'begin' ? beginLine(row, place) : endLine(row, place));
    database.prepare('update links set hash = ? where pos = ?').run(prev, pos!);
  }
  database.prepare('update chains set hash = ? where id = ?').run(prev, chain);
}

/**
 * Signs a forged database anew with the installation's own key: as an attacker does who has the database, `audit.key` and
 * `anchors.json`. The table `anchors` must be empty.
 */
export async function reanchor(dataDir: string): Promise<void> {
  rmSync(join(dataDir, 'anchors.json'), { force: true });
  const store = await openStore({ dataDir, keyring: openKeyring(dataDir, undefined) });
  try {
    await createAnchorer({ store, signer: openSigner(dataDir), dataDir, sinks: [], everyMs: 1_000 }).sign();
  } finally {
    await store.close();
  }
}
