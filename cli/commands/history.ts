import { Option } from 'commander';
import type { JournalEntry } from '../../contracts/record.ts';
import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { CLI_EXIT } from '../client/exit-codes.ts';
import { CliError } from '../client/explain.ts';
import { type Format, outputOption, printItems } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

interface Options extends ServerOptions {
  operation?: string;
  host?: string;
  phase?: string;
  actor?: string;
  result?: string;
  changed?: true;
  limit: string;
  order: string;
  output: Format;
}
/** The most that one page has. */
const MOST = 200;

/** `kubewright history CLUSTER`: records of the journal. */
export default defineCommand('history', (command) =>
  withServer(command)
    .description('what was done to a cluster, by whom, and how it ended; the newest first')
    .argument('<cluster>')
    .option('--operation <id>', 'only of this operation')
    .option('--host <name>', 'only on this host')
    .option('--phase <name>', 'only of this phase')
    .option('--actor <name>', 'only of the token with this name')
    .option('--result <result>', 'only with this result, such as failed')
    .option('--changed', 'only what changes something')
    .option('--limit <number>', `records, at most ${MOST}`, '50')
    .addOption(new Option('--order <order>', 'by begin').choices(['newest', 'oldest']).default('newest'))
    .addOption(outputOption())
    .addHelpText(
      'after',
      examples('kubewright history prod', 'kubewright history prod --host w-2 --result failed -o wide'),
    )
    .action(async (cluster: string, { output, limit, changed, ...options }: Options) => {
      if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > MOST) {
        throw new CliError(`--limit must be 1 to ${MOST}`, CLI_EXIT.usage);
      }
      const { operation, host, phase, actor, result, order, ...server } = options;
      const { items } = await openApi(server).request<{ items: JournalEntry[] }>(
        'GET',
        `/clusters/${encodeURIComponent(cluster)}/history`,
        {
          query: {
            ...{ operation, host, phase, actor, result, order, limit, format: 'json', events: 'false' },
            ...(changed ? { changed: 'true' } : {}),
          },
        },
      );
      printItems(items, {
        format: output,
        name: ({ id }) => `record/${id}`,
        columns: [
          { title: 'STARTED', value: ({ startedAt }) => startedAt.slice(0, 19) },
          { title: 'ACTOR', value: ({ actor: by }) => by },
          { title: 'HOST', value: ({ host: on }) => on },
          { title: 'PHASE', value: ({ phase: of }) => of },
          { title: 'KIND', value: ({ kind }) => kind },
          { title: 'RESULT', value: ({ result: ended }) => ended },
          { title: 'COMMAND', value: ({ argv }) => argv.join(' ').slice(0, output === 'wide' ? 2_000 : 80) },
          { title: 'ID', value: ({ id }) => id, wide: true },
        ],
      });
    }),
);
