import { randomUUID } from 'node:crypto';
import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { type DryRun, dryRunOf, printDryRun } from '../client/apply.ts';
import { CLI_EXIT } from '../client/exit-codes.ts';
import { CliError } from '../client/explain.ts';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

interface Options extends ServerOptions {
  cluster?: string;
  confirm?: string;
  dryRun?: true;
}

/** `kubewright delete cluster NAME`, `delete host NAME... --cluster CLUSTER`. */
export default defineCommand('delete', (command) =>
  withServer(command)
    .description('remove a cluster from its hosts, or hosts from their cluster; nothing else on the hosts is touched')
    .argument('<resource>', 'cluster or host')
    .argument('<names...>')
    .option('-c, --cluster <name>', 'cluster of the hosts')
    .option(
      '--confirm <names>',
      'the name that is removed, or the names with commas between them; required without --dry-run',
    )
    .option('--dry-run', 'change nothing: what would be removed')
    .addHelpText(
      'after',
      examples(
        'kubewright delete cluster prod --dry-run',
        'kubewright delete cluster prod --confirm prod',
        'kubewright delete host w-2 --cluster prod --confirm w-2',
      ),
    )
    .action(async (resource: string, names: string[], { cluster: of, confirm, dryRun, ...server }: Options) => {
      if (resource !== 'cluster' && resource !== 'host') {
        throw new CliError(`delete takes cluster or host, not ${resource}`, CLI_EXIT.usage);
      }
      if (resource === 'cluster' && names.length > 1) {
        throw new CliError('delete takes one cluster at a time', CLI_EXIT.usage);
      }
      if (resource === 'host' && of === undefined) {
        throw new CliError('hosts are of a cluster: give it with --cluster', CLI_EXIT.usage);
      }
      const listed = names.join(',');
      if (!dryRun && confirm !== listed) {
        throw new CliError(`this removes ${listed}: repeat it with --confirm ${listed}`, CLI_EXIT.usage);
      }
      const cluster = resource === 'cluster' ? names[0]! : of!;
      const hosts = resource === 'host' ? { hosts: listed } : {};
      const path = `/clusters/${encodeURIComponent(cluster)}${resource === 'host' ? '/hosts' : ''}`;
      const api = openApi(server);
      const answer = await api.request<DryRun>('DELETE', path, {
        query: { ...hosts, dryRun: String(dryRun === true), ...(confirm === undefined ? {} : { confirm }) },
        headers: { 'idempotency-key': randomUUID() },
      });
      if (dryRun) process.exitCode = printDryRun(await dryRunOf(api, answer));
      else say(`operation/${answer.operation} of cluster/${cluster} accepted`);
    }),
);
