import { printableJson } from '../../contracts/printable.ts';
import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { type DryRun, dryRunOf, printDryRun, sendSpec } from '../client/apply.ts';
import { readInput } from '../client/document.ts';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright plan -f FILE`: a dry run, which compares every host with the spec and changes nothing. */
export default defineCommand('plan', (command) =>
  withServer(command)
    .description('what a build of this spec would do on each host; changes nothing')
    .requiredOption('-f, --filename <file>', 'the spec (YAML or JSON); - is standard input')
    .option('--json', 'as one JSON document')
    .addHelpText('after', examples('kubewright plan -f prod.yaml', 'kubewright plan -f - --json < prod.yaml'))
    .action(async ({ filename, json, ...server }: ServerOptions & { filename: string; json?: true }) => {
      const api = openApi(server);
      const report = await dryRunOf(api, await sendSpec<DryRun>(api, readInput(filename), true));
      if (json) say(printableJson(JSON.stringify(report)));
      else process.exitCode = printDryRun(report);
    }),
);
