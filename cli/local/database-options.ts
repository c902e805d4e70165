import { join } from 'node:path';
import { Option } from 'commander';
import type { DatabasePlace } from '../../store/backup/write-backup.ts';

/** `--data`: the data directory. */
export const dataOption = (): Option =>
  new Option('--data <folder>', 'data directory').default(process.env['KUBEWRIGHT_DATA'] ?? './.kubewright');

/** `--url`: PostgreSQL instead of the file in the data directory. */
export const urlOption = (): Option => new Option('--url <url>', 'postgres://..., default KUBEWRIGHT_DATABASE_URL');

/** The database that both options name. */
export function placeOf(data: string, url: string | undefined): DatabasePlace {
  const address = url ?? process.env['KUBEWRIGHT_DATABASE_URL'] ?? '';
  return address === '' ? { file: join(data, 'kubewright.db') } : { url: address };
}
