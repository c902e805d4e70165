import type { z } from 'zod';
import type { clusterDetail } from '../../contracts/api.ts';
import { printable } from '../../contracts/printable.ts';
import { openApi, type ServerOptions, withServer } from '../client/api.ts';
import { CLI_EXIT } from '../client/exit-codes.ts';
import { CliError } from '../client/explain.ts';
import { ageOf, say, tableOf } from '../client/print.ts';
import { defineCommand, examples } from '../command.ts';

type Cluster = z.infer<typeof clusterDetail>;

/** `kubewright describe cluster NAME`: state, hosts, what is blocked and why. */
export default defineCommand('describe', (command) =>
  withServer(command)
    .description('a cluster in words: state, health, hosts, what is blocked, why, and what to do')
    .argument('<resource>', 'cluster, or cluster/NAME')
    .argument('[name]')
    .addHelpText('after', examples('kubewright describe cluster prod', 'kubewright describe cluster/prod'))
    .action(async (asked: string, second: string | undefined, server: ServerOptions) => {
      const [resource, first] = asked.split('/', 2);
      const name = first ?? second;
      if (!['cluster', 'clusters', 'cl'].includes(resource!) || name === undefined) {
        throw new CliError('describe takes cluster NAME', CLI_EXIT.usage);
      }
      const cluster = await openApi(server).request<Cluster>('GET', `/clusters/${encodeURIComponent(name)}`);
      for (const line of linesOf(cluster)) say(printable(line));
    }),
);

function linesOf(cluster: Cluster): string[] {
  const { health, pause, blockedHosts, hosts, taskCounts } = cluster;
  const counts = Object.entries(taskCounts).map(([state, count]) => `${count} ${state}`);
  return [
    ...tableOf([
      ['Name:', cluster.name],
      ['State:', cluster.state],
      ['Health:', health === null ? 'not checked yet' : health.state],
      ['Kubernetes:', cluster.kubernetesVersion],
      ['Operation:', cluster.operation ?? 'none'],
      ['Tasks:', counts.join(', ') || 'none'],
      ['Created:', `${cluster.createdAt} (${ageOf(cluster.createdAt)} ago)`],
      ...(pause ? [['Paused:', `by ${pause.by} at ${pause.at}${pause.reason ? `: ${pause.reason}` : ''}`]] : []),
      ...(cluster.error ? [['Error:', `${cluster.error.message} (${cluster.error.code})`]] : []),
    ]),
    ...(health?.reasons ?? []).map(({ code, subject, reason }) => `  ${subject}: ${reason} (${code})`),
    '',
    ...tableOf([
      ['HOST', 'ADDRESS', 'ROLES', 'STATE', 'TASKS'],
      ...hosts.map(({ name, address, roles, state, tasksDone, tasks }) => [
        name,
        address,
        roles.join(','),
        state,
        `${tasksDone}/${tasks}`,
      ]),
    ]),
    ...blockedHosts.flatMap(({ host, phase, code, cause, evidence, hint }) => [
      '',
      `Blocked: ${phase} on ${host}: ${cause} (${code})`,
      ...(evidence === undefined ? [] : ['  evidence:', `    ${evidence.replaceAll('\n', '\n    ')}`]),
      `  what to do: ${hint}`,
      `  kubewright retry ${cluster.name} ${host}, kubewright skip ${cluster.name} ${host}, kubewright replace ${cluster.name} ${host} --address ADDRESS`,
    ]),
  ];
}
