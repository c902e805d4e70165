import { defineMatrixCase } from '../kit/case.ts';
import { RUNTIME_OF_SPEC } from '../kit/chosen.ts';
import { type MatrixKit, until } from '../kit/kit.ts';
import {
  emptyPrivateRegistry,
  PRIVATE_CREDENTIAL,
  PRIVATE_ENTRY,
  privateRegistryChecks,
  startPrivateRegistry,
} from '../kit/private-registry.ts';
import { runtimeOptions } from '../kit/runtime-options.ts';

/** What a user had in daemon.json before: a member that stays, and one that pods need otherwise. */
const THEIRS = '{ "shutdown-timeout": 20,\n  "log-opts": { "tag": "{{.Name}}", "max-size": "1g" } }\n';

export default defineMatrixCase({
  title: 'Docker with cri-dockerd: a daemon.json of the user, and a private registry with a login',
  hosts: { 'control-plane': 1, worker: 1 },
  with: ['docker'],
  credentials: PRIVATE_CREDENTIAL,
  cleanUp: emptyPrivateRegistry,
  prepareHosts: async (kit) => {
    await startPrivateRegistry(kit);
    for (const { name } of kit.bench.lab.hosts)
      await kit.onHost(name, `mkdir -p /etc/docker\ncat >/etc/docker/daemon.json <<'JSON'\n${THEIRS}JSON`);
  },
  spec: (draft) => {
    draft.phases['docker'] = runtimeOptions(draft);
    delete draft.phases['runtime'];
    draft['registries'] = [PRIVATE_ENTRY];
  },
  change: (draft) => {
    draft.phases['docker'] = { ...draft.phases['docker'], logs: { maxSizeMiB: 20 } };
  },
  checks: [
    RUNTIME_OF_SPEC,
    { title: 'kubectl exec and logs work', run: execWorks },
    { title: 'daemon.json has our members and those of the user', run: daemonIsMerged },
    ...privateRegistryChecks,
  ],
});

async function execWorks(kit: MatrixKit): Promise<void> {
  const { items } = await kit.get<{ items: { metadata: { name: string } }[] }>(
    ...['pods', '-n', 'kube-system', '-l', 'k8s-app=metrics-server'],
  );
  const pod = items[0]?.metadata.name;
  if (pod === undefined) throw new Error('there is no pod of the metrics server');
  // The image has one program alone.
  await until('exec in a pod', 60_000, async () => {
    const said = await kit.kubectl(['exec', '-n', 'kube-system', pod, '--', '/metrics-server', '--version']);
    return /\d/.test(said) ? null : `exec printed ${said}`;
  });
  await kit.kubectl(['logs', '-n', 'kube-system', pod, '--tail=1']);
}

async function daemonIsMerged(kit: MatrixKit): Promise<void> {
  const { logs = { maxSizeMiB: 100 } } = kit.cluster.spec.phases['docker'] as { logs?: { maxSizeMiB: number } };
  for (const { name } of kit.cluster.spec.hosts) {
    const text = await kit.onHost(name, 'cat /etc/docker/daemon.json');
    const daemon = JSON.parse(text) as Record<string, unknown> & { 'log-opts': Record<string, unknown> };
    const { tag, 'max-size': size } = daemon['log-opts'];
    if (
      daemon['shutdown-timeout'] !== 20 ||
      tag !== '{{.Name}}' ||
      size !== `${logs.maxSizeMiB}m` ||
      daemon['bridge'] !== 'none'
    )
      throw new Error(`${name}: ${text}`);
  }
}
