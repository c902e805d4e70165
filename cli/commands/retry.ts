import { act, given } from '../client/act.ts';
import { type ServerOptions, withServer } from '../client/api.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright retry CLUSTER HOST`. */
export default defineCommand('retry', (command) =>
  withServer(command)
    .description('run the blocked tasks of a host again, with corrections if given')
    .argument('<cluster>')
    .argument('<host>')
    .option('--phase <name>', 'only the blocked task of this phase')
    .option('--address <address>', 'new SSH address of the host')
    .option('--reason <text>', 'why; it is part of the history')
    .addHelpText('after', examples('kubewright retry prod w-2', 'kubewright retry prod w-2 --address 192.0.2.23'))
    .action(
      async (
        cluster: string,
        host: string,
        { phase, address, reason, ...server }: ServerOptions & { phase?: string; address?: string; reason?: string },
      ) => await act(server, cluster, `hosts/${encodeURIComponent(host)}/retry`, given({ phase, address, reason })),
    ),
);
