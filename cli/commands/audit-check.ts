import { join } from 'node:path';
import { Command } from 'commander';
import { openAudited } from '../../audit/audited-store.ts';
import { verifyDatabase } from '../../audit/verify-database.ts';
import { EXIT_CODES, print, tell } from './audit-verify.ts';

/** `kubewright audit check`: the same for a whole database. Exits 1 and names the first bad record. */
export function auditCheck(): Command {
  return new Command('check')
    .description('check the journal of a data directory, or of PostgreSQL: chains, records, outputs, bundles')
    .option('--data <folder>', 'data directory', process.env['KUBEWRIGHT_DATA'] ?? './.kubewright')
    .option('--url <url>', 'postgres://..., default KUBEWRIGHT_DATABASE_URL')
    .option('--json', 'the verdict as JSON')
    .addHelpText('after', EXIT_CODES)
    .action(async ({ data, url, json }: { data: string; url?: string; json?: true }) => {
      const store = await openAudited(data, url ?? process.env['KUBEWRIGHT_DATABASE_URL']);
      try {
        const verdict = await verifyDatabase(store, join(data, 'spool'));
        const { problems, chains, links, outputs, specs, bundles } = verdict;
        if (json) print(JSON.stringify(verdict));
        else if (problems.length > 0) tell(problems);
        else
          print(
            `unchanged: ${links} links in ${chains} chains, ${outputs} outputs, ${specs} specs, ${bundles} bundles`,
          );
        if (problems.length > 0) process.exitCode = 1;
      } finally {
        await store.close();
      }
    });
}
