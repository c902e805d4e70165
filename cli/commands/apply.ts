import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { type DryRun, dryRunOf, printDryRun, sendSpec } from '../client/apply.ts';
import { durationOf, readInput } from '../client/document.ts';
import { detachOnInterrupt, reportEnd, watchOperation } from '../client/operation.ts';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

interface Options extends ServerOptions {
  filename: string;
  dryRun?: true;
  wait?: true;
  timeout?: string;
}

/** `kubewright apply -f FILE`: build a cluster, or change it to this spec. */
export default defineCommand('apply', (command) =>
  withServer(command)
    .description('build a cluster, or change it to the spec of a file')
    .requiredOption('-f, --filename <file>', 'the spec (YAML or JSON); - is standard input')
    .option('--dry-run', 'change nothing: what would be changed')
    .option('--wait', 'follow the operation until it ends or is blocked')
    .option('--timeout <duration>', 'with --wait: no longer than this, such as 30m')
    .addHelpText(
      'after',
      examples('kubewright apply -f prod.yaml --dry-run', 'kubewright apply -f prod.yaml --wait --timeout 30m'),
    )
    .action(async ({ filename, dryRun, wait, timeout, ...server }: Options) => {
      const timeoutMs = timeout === undefined ? undefined : durationOf(timeout);
      const api = openApi(server);
      const text = readInput(filename);
      if (dryRun) {
        process.exitCode = printDryRun(await dryRunOf(api, await sendSpec<DryRun>(api, text, true)));
        return;
      }
      const { cluster, operation } = await sendSpec(api, text, false);
      say(`operation/${operation} of cluster/${cluster} accepted`);
      if (!wait) return;
      detachOnInterrupt(cluster);
      process.exitCode = reportEnd(await watchOperation(api, cluster, operation, { timeoutMs }), cluster);
    }),
);
