import { printable, printableLine } from '../../contracts/printable.ts';
import type { JournalEntry } from '../../contracts/record.ts';
import { type Api, openApi, type ServerOptions, withServer } from '../client/api.ts';
import { detachOnInterrupt, latestOperation } from '../client/operation.ts';
import { say } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

interface Options extends ServerOptions {
  operation?: string;
  host?: string;
  phase?: string;
  follow?: true;
}

/** `kubewright logs CLUSTER [-f]`: the commands of an operation with their outputs. */
export default defineCommand('logs', (command) =>
  withServer(command)
    .description('the commands of an operation, each with its output; -f: live, until the operation is over')
    .argument('<cluster>')
    .option('--operation <id>', 'default: the newest operation of the cluster')
    .option('--host <name>', 'only on this host')
    .option('--phase <name>', 'only of this phase')
    .option('-f, --follow', 'go on with new commands as they end')
    .addHelpText('after', examples('kubewright logs prod -f', 'kubewright logs prod --host w-2 --phase preflight'))
    .action(async (cluster: string, { operation, host, phase, follow, ...server }: Options) => {
      const api = openApi(server);
      const id = operation ?? (await latestOperation(api, cluster));
      const query = new URLSearchParams({
        ...{ operation: id, format: 'ndjson', ...(follow ? { follow: 'true', after: '0' } : {}) },
        ...(host === undefined ? {} : { host }),
        ...(phase === undefined ? {} : { phase }),
      });
      if (follow) detachOnInterrupt(cluster);
      const path = `/clusters/${encodeURIComponent(cluster)}/history?${query.toString()}`;
      for await (const line of api.lines(path, { accept: 'application/x-ndjson' })) {
        if (line === '') continue;
        const record = JSON.parse(line) as JournalEntry & { part?: 'begin' | 'end' };
        if (record.part !== 'begin') await printRecord(api, cluster, record);
      }
    }),
);

async function printRecord(api: Api, cluster: string, record: JournalEntry): Promise<void> {
  if (record.seq === 0) return;
  const { host, phase, argv, result, exitCode } = record;
  const end = result === 'ok' ? '' : ` [${result}${exitCode === null ? '' : `, exit code ${exitCode}`}]`;
  say(printableLine(`${host} ${phase} $ ${argv.join(' ')}${end}`));
  for (const sha of [record.stdoutSha256, record.stderrSha256]) {
    if (sha === null) continue;
    const path = `/clusters/${encodeURIComponent(cluster)}/history/output/${sha}`;
    const text = await api.request<string>('GET', path);
    for (const line of text.trimEnd().split('\n')) say(`  ${printable(line)}`);
  }
}
