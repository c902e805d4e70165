import { randomUUID } from 'node:crypto';
import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright heal CLUSTER [HOST...]`. */
export default defineCommand('heal', (command) =>
  withServer(command)
    .description('bring hosts out of quarantine back in; without names: all of them')
    .argument('<cluster>')
    .argument('[hosts...]')
    .addHelpText('after', examples('kubewright heal prod', 'kubewright heal prod w-2'))
    .action(async (cluster: string, hosts: string[], server: ServerOptions) => {
      const { operation } = await openApi(server).request<{ operation: string }>(
        'POST',
        `/clusters/${encodeURIComponent(cluster)}/operations`,
        {
          body: { kind: 'heal', ...(hosts.length > 0 ? { hosts } : {}) },
          headers: { 'idempotency-key': randomUUID() },
        },
      );
      say(`operation/${operation} of cluster/${cluster} accepted`);
    }),
);
