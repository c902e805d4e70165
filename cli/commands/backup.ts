import { join } from 'node:path';
import { writeKeys } from '../../store/backup/keys.ts';
import { writeBackup } from '../../store/backup/write-backup.ts';
import { defineCommand, examples } from '../command.ts';
import { dataOption, placeOf, urlOption } from '../local/database-options.ts';
import { print } from '../local/exit-codes.ts';

/** `kubewright backup FILE`: the whole database at one moment, while the service runs; keys go to a file of their own. */
export default defineCommand('backup', (command) => {
  return command
    .description('write the whole database to a file, while the service runs; works for SQLite and PostgreSQL')
    .argument('<file>', 'path of the backup; must not exist')
    .addOption(dataOption())
    .addOption(urlOption())
    .option('--keys <file>', 'also write the keys to this file; keep it apart from the backup')
    .addHelpText('after', examples('kubewright backup kubewright.backup --keys keys.json'))
    .action(async (file: string, { data, url, keys }: { data: string; url?: string; keys?: string }) => {
      const rows = await writeBackup(placeOf(data, url), file);
      const total = Object.values(rows).reduce((sum, each) => sum + each, 0);
      print(`${file}: ${total} rows of ${Object.keys(rows).length} tables`);
      if (keys === undefined)
        print('the backup does not contain the keys (secret.key, audit.key): back them up with --keys');
      else print(`${keys}: ${writeKeys(join(data), process.env, keys).join(', ')}`);
    });
});
