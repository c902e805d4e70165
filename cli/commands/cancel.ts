import { act, given } from '../client/act.ts';
import { type ServerOptions, withServer } from '../client/api.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright cancel CLUSTER`. */
export default defineCommand('cancel', (command) =>
  withServer(command)
    .description('cancel the running operation; completed work is kept')
    .argument('<cluster>')
    .option('--operation <id>', 'refuse when another operation runs')
    .option('--reason <text>', 'why; it is part of the history')
    .addHelpText(
      'after',
      examples('kubewright cancel prod', 'kubewright cancel prod --operation 01k5x0000000000000000000aa'),
    )
    .action(
      async (
        cluster: string,
        { operation, reason, ...server }: ServerOptions & { operation?: string; reason?: string },
      ) => await act(server, cluster, 'cancel', given({ operation, reason })),
    ),
);
