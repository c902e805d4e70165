import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type BackedUpKeys, placeKeys, readKeys } from '../../store/backup/keys.ts';
import { restoreBackup } from '../../store/backup/restore-backup.ts';
import { type Keyring, openKeyring, parseKeyring } from '../../store/keyring.ts';
import { defineCommand, examples } from '../command.ts';
import { dataOption, placeOf, urlOption } from '../local/database-options.ts';
import { print } from '../local/exit-codes.ts';

/** `kubewright restore FILE`: into an empty database, with the service stopped. The next start compares with Temporal. */
export default defineCommand('restore', (command) => {
  return command
    .description(
      'fill an empty database from a backup, with the service stopped; backups of SQLite and PostgreSQL fit both',
    )
    .argument('<file>', 'file of kubewright backup')
    .addOption(dataOption())
    .addOption(urlOption())
    .option('--keys <file>', 'file of backup --keys: restores the keys into the data directory')
    .addHelpText('after', examples('kubewright restore kubewright.backup'))
    .action(async (file: string, { data, url, keys }: { data: string; url?: string; keys?: string }) => {
      const given = keys === undefined ? null : readKeys(keys);
      const rows = await restoreBackup(placeOf(data, url), file, keyringOf(data, given));
      if (given) placeKeys(data, given);
      const total = Object.values(rows).reduce((sum, each) => sum + each, 0);
      print(`restored ${total} rows of ${Object.keys(rows).length} tables`);
      if (given) print(`keys in ${data}: ${Object.keys(given.files).join(', ') || 'none'}`);
      for (const name of Object.keys(given?.environment ?? {})) print(`set ${name} again: its value is in ${keys!}`);
      print('start the service: it closes operations as lost that Temporal no longer runs');
    });
});

/** The key that the restored service will have. Throws SECRET_KEY_LOST by way of the restore when it is not the right one. */
function keyringOf(data: string, given: BackedUpKeys | null): Keyring | null {
  const text =
    process.env['KUBEWRIGHT_SECRET_KEY'] ?? given?.environment.KUBEWRIGHT_SECRET_KEY ?? given?.files['secret.key'];
  if (text) return parseKeyring(text);
  // Without a key nothing can be checked: the start will say so.
  return existsSync(join(data, 'secret.key')) ? openKeyring(data) : null;
}
