import { act, given } from '../client/act.ts';
import { type ServerOptions, withServer } from '../client/api.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright replace CLUSTER HOST`. */
export default defineCommand('replace', (command) =>
  withServer(command)
    .description('give the name and the roles of a host that is blocked or in quarantine to another machine')
    .argument('<cluster>')
    .argument('<host>')
    .requiredOption('--address <address>', 'SSH address of the new machine')
    .option('--internal-address <address>', 'address that the other hosts use; default: --address')
    .option('--reason <text>', 'why; it is part of the history')
    .addHelpText(
      'after',
      examples(
        'kubewright replace prod w-2 --address 192.0.2.30',
        "kubewright replace prod w-2 --address 192.0.2.30 --reason 'board is dead'",
      ),
    )
    .action(
      async (
        cluster: string,
        host: string,
        {
          address,
          internalAddress,
          reason,
          ...server
        }: ServerOptions & { address: string; internalAddress?: string; reason?: string },
      ) =>
        await act(
          server,
          cluster,
          `hosts/${encodeURIComponent(host)}/replace`,
          given({ address, internalAddress, reason }),
        ),
    ),
);
