import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright token revoke ID`. */
export default defineCommand('token revoke', (command) =>
  withServer(command)
    .description('revoke a token at once, with the streams that it has open')
    .argument('<id>', 'of kubewright get tokens')
    .addHelpText('after', examples('kubewright token revoke 01k5x0000000000000000000aa'))
    .action(async (id: string, server: ServerOptions) => {
      await openApi(server).request('DELETE', `/tokens/${encodeURIComponent(id)}`);
      say(`token/${id} revoked`);
    }),
);
