import { act, given } from '../client/act.ts';
import { type ServerOptions, withServer } from '../client/api.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright skip CLUSTER HOST`. */
export default defineCommand('skip', (command) =>
  withServer(command)
    .description('put a blocked host into quarantine: the operation goes on without it, heal brings it back')
    .argument('<cluster>')
    .argument('<host>')
    .option('--reason <text>', 'why; it is part of the history')
    .addHelpText('after', examples('kubewright skip prod w-2', "kubewright skip prod w-2 --reason 'board is dead'"))
    .action(
      async (cluster: string, host: string, { reason, ...server }: ServerOptions & { reason?: string }) =>
        await act(server, cluster, `hosts/${encodeURIComponent(host)}/skip`, given({ reason })),
    ),
);
