import { Option } from 'commander';
import { act, given } from '../client/act.ts';
import { type ServerOptions, withServer } from '../client/api.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright pause CLUSTER`. */
export default defineCommand('pause', (command) =>
  withServer(command)
    .description('pause the running operation: no new task starts')
    .argument('<cluster>')
    .addOption(
      new Option('--mode <mode>', 'drain lets running tasks end; interrupt cancels them, to run again later')
        .choices(['drain', 'interrupt'])
        .default('drain'),
    )
    .option('--operation <id>', 'refuse when another operation runs')
    .option('--reason <text>', 'why; it is part of the history')
    .addHelpText(
      'after',
      examples('kubewright pause prod', "kubewright pause prod --mode interrupt --reason 'disk full'"),
    )
    .action(
      async (
        cluster: string,
        { mode, operation, reason, ...server }: ServerOptions & { mode: string; operation?: string; reason?: string },
      ) => await act(server, cluster, 'pause', given({ mode, operation, reason })),
    ),
);
