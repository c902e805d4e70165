import { contextsFile, readContexts, writeContexts } from '../client/contexts.ts';
import { CLI_EXIT } from '../client/exit-codes.ts';
import { CliError } from '../client/explain.ts';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright config set-context NAME`. */
export default defineCommand('config set-context', (command) =>
  command
    .description('add or change a context: a service, and the token file that it is asked with')
    .argument('<name>')
    .requiredOption('--server <url>', 'URL of the API')
    .option('--token-file <file>', 'file with a token, read at each use')
    .option('--certificate-authority <file>', 'certificates (PEM) that the API is verified with')
    .addHelpText(
      'after',
      examples(
        'kubewright config set-context prod --server https://kubewright.example.org --token-file ~/.kubewright-token',
      ),
    )
    .action((name: string, options: { server: string; tokenFile?: string; certificateAuthority?: string }) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name)) {
        throw new CliError('a name of a context has letters, digits and . _ -, at most 63', CLI_EXIT.usage);
      }
      const contexts = readContexts();
      writeContexts({ current: contexts.current ?? name, contexts: { ...contexts.contexts, [name]: { ...options } } });
      say(`context ${name} is in ${contextsFile()}`);
    }),
);
