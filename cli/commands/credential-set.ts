import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { readInput } from '../client/document.ts';
import { CLI_EXIT } from '../client/exit-codes.ts';
import { CliError } from '../client/explain.ts';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

interface Options extends ServerOptions {
  fromFile?: string;
  passwordFile?: string;
  passphraseFile?: string;
  cluster?: string[];
}

/** `kubewright credential set NAME`: secrets come from files or standard input, never from arguments, which others can read. */
export default defineCommand('credential set', (command) =>
  withServer(command)
    .description('store a login for hosts, encrypted; it is never returned')
    .argument('<name>')
    .option('--from-file <file>', 'a private SSH key; - is standard input')
    .option('--passphrase-file <file>', 'file with the passphrase of the key')
    .option('--password-file <file>', 'file with a password instead of a key')
    .option('--cluster <names...>', 'only for these clusters')
    .addHelpText('after', examples('kubewright credential set ops --from-file ~/.ssh/id_ed25519'))
    .action(async (name: string, { fromFile, passwordFile, passphraseFile, cluster, ...server }: Options) => {
      if ((fromFile === undefined) === (passwordFile === undefined)) {
        throw new CliError('give one of --from-file and --password-file', CLI_EXIT.usage);
      }
      const line = (file: string) => readInput(file).replace(/\r?\n$/, '');
      const secret =
        fromFile === undefined
          ? { kind: 'password', password: line(passwordFile!) }
          : {
              kind: 'key',
              privateKey: readInput(fromFile),
              ...(passphraseFile === undefined ? {} : { passphrase: line(passphraseFile) }),
            };
      await openApi(server).request('PUT', `/credentials/${encodeURIComponent(name)}`, {
        body: { ...secret, ...(cluster === undefined ? {} : { clusters: cluster }) },
      });
      say(`credential/${name} stored`);
    }),
);
