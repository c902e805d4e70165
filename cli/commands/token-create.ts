import { Option } from 'commander';
import { given } from '../client/act.ts';
import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { note, say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

interface Options extends ServerOptions {
  role: string;
  cluster?: string[];
  expiresAt?: string;
}

/** `kubewright token create NAME`: the text goes to standard output, alone. */
export default defineCommand('token create', (command) =>
  withServer(command)
    .description('make a token; its text is printed this once')
    .argument('<name>')
    .addOption(new Option('--role <role>', 'its rights').choices(['viewer', 'operator', 'admin']).default('viewer'))
    .option('--cluster <names...>', 'only these clusters; default: all')
    .option('--expires-at <time>', 'ISO 8601, UTC, such as 2027-01-31T00:00:00Z')
    .addHelpText('after', examples('kubewright token create ci --role operator --cluster prod > ci.token'))
    .action(async (name: string, { role, cluster: clusters, expiresAt, ...server }: Options) => {
      const made = await openApi(server).request<{ id: string; token: string }>('POST', '/tokens', {
        body: { name, role, ...given({ clusters, expiresAt }) },
      });
      note(`token/${made.id} of role ${role}`);
      say(made.token);
    }),
);
