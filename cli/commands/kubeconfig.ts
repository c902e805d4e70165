import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { Option } from 'commander';
import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { note } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

interface Options extends ServerOptions {
  admin?: true;
  group: string;
  expiresIn: string;
  to?: string;
}

/** `kubewright kubeconfig CLUSTER`: a personal one, or that of the admin. */
export default defineCommand('kubeconfig', (command) =>
  withServer(command)
    .description('a kubeconfig of your own, with an expiry; --admin: that of the cluster (role admin)')
    .argument('<cluster>')
    .option('--admin', 'the admin kubeconfig, which does not expire with a person')
    .addOption(
      new Option('--group <group>', 'rights in the cluster')
        .default('viewers')
        .choices(['viewers', 'editors', 'cluster-admins']),
    )
    .option('--expires-in <duration>', '10m to 30d', '24h')
    .option('--to <file>', 'write it to this file with mode 0600 instead of standard output')
    .addHelpText(
      'after',
      examples(
        'kubewright kubeconfig prod --group editors --to ~/.kube/prod',
        'kubewright kubeconfig prod --admin > kubeconfig',
      ),
    )
    .action(async (cluster: string, { admin, group, expiresIn, to, ...server }: Options) => {
      const path = `/clusters/${encodeURIComponent(cluster)}/kubeconfig`;
      const api = openApi(server);
      const text = admin
        ? await api.request<string>('GET', path)
        : await api.request<string>('POST', path, { body: { group: `kubewright:${group}`, expiresIn } });
      if (to === undefined) {
        process.stdout.write(text);
        return;
      }
      const draft = `${to}.${process.pid}`;
      writeFileSync(draft, text, { mode: 0o600 });
      chmodSync(draft, 0o600);
      renameSync(draft, to);
      note(`export KUBECONFIG=${to}`);
    }),
);
