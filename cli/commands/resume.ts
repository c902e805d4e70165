import { act, given } from '../client/act.ts';
import { type ServerOptions, withServer } from '../client/api.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright resume CLUSTER`. */
export default defineCommand('resume', (command) =>
  withServer(command)
    .description('resume a paused operation')
    .argument('<cluster>')
    .option('--operation <id>', 'refuse when another operation runs')
    .option('--reason <text>', 'why; it is part of the history')
    .addHelpText('after', examples('kubewright resume prod', "kubewright resume prod --reason 'disk replaced'"))
    .action(
      async (
        cluster: string,
        { operation, reason, ...server }: ServerOptions & { operation?: string; reason?: string },
      ) => await act(server, cluster, 'resume', given({ operation, reason })),
    ),
);
