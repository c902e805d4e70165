import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { durationOf } from '../client/document.ts';
import { detachOnInterrupt, latestOperation, reportEnd, watchOperation } from '../client/operation.ts';
import { defineCommand, examples } from '../command.ts';

/** `kubewright watch CLUSTER`: a line per change of a task, live; the exit code is that of the operation's end. */
export default defineCommand('watch', (command) =>
  withServer(command)
    .description('follow an operation until it ends or is blocked; Ctrl-C leaves it running')
    .argument('<cluster>')
    .option('--operation <id>', 'default: the newest operation of the cluster')
    .option('--timeout <duration>', 'no longer than this, such as 30m')
    .addHelpText('after', examples('kubewright watch prod', 'kubewright watch prod --timeout 10m'))
    .action(
      async (
        cluster: string,
        { operation, timeout, ...server }: ServerOptions & { operation?: string; timeout?: string },
      ) => {
        const timeoutMs = timeout === undefined ? undefined : durationOf(timeout);
        const api = openApi(server);
        const id = operation ?? (await latestOperation(api, cluster));
        detachOnInterrupt(cluster);
        process.exitCode = reportEnd(await watchOperation(api, cluster, id, { timeoutMs }), cluster);
      },
    ),
);
