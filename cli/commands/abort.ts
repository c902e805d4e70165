import { act, given } from '../client/act.ts';
import { type ServerOptions, withServer } from '../client/api.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright abort CLUSTER HOST`. */
export default defineCommand('abort', (command) =>
  withServer(command)
    .description('end the operation as failed because of a blocked host; running tasks end first')
    .argument('<cluster>')
    .argument('<host>')
    .option('--reason <text>', 'why; it is part of the history')
    .addHelpText('after', examples('kubewright abort prod w-2', "kubewright abort prod w-2 --reason 'wrong spec'"))
    .action(
      async (cluster: string, host: string, { reason, ...server }: ServerOptions & { reason?: string }) =>
        await act(server, cluster, `hosts/${encodeURIComponent(host)}/abort`, given({ reason })),
    ),
);
