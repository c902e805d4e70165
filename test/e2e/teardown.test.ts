import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OperationStatus } from '../../contracts/operation.ts';
import { execInHost } from '../../lab/faults.ts';
import { differences, HOST_SNAPSHOT } from '../support/host-snapshot.ts';
import { type Bench, freshBench } from './support.ts';

/** Two hosts with files and settings of others: built, cancelled, built, one torn down, all torn down, built. */

let bench: Bench;
const before = new Map<string, string>();

const on = async (host: string, script: string): Promise<string> => {
  const { code, stdout, stderr } = await execInHost(bench.lab, host, ['sh', '-euc', script]);
  if (code !== 0) throw new Error(`on ${host}: exit code ${code}: ${stdout}${stderr}`);
  return stdout;
};
const follow = (operation: string) => bench.api.follow(bench.name, operation);
const request = async (method: string, path: string, body?: unknown): Promise<OperationStatus> => {
  const { operation } = await bench.api.request<{ operation: string }>(method, path, body);
  return follow(operation);
};
const build = async (): Promise<void> => {
  const status = await request('POST', '/clusters', bench.lab.spec);
  expect(status.tasks.filter(({ error }) => error).map(({ error }) => error)).toEqual([]);
  expect(status.state).toBe('succeeded');
};
/** Files and settings of others beside ours. */
const FOREIGN = `
printf 'theirs\\n' >/etc/theirs.conf
mkdir -p /etc/containerd; printf '# theirs\\n' >/etc/containerd/config.toml; chmod 640 /etc/containerd/config.toml
printf '#!/bin/sh\\necho theirs\\n' >/usr/local/bin/kubectl; chmod 755 /usr/local/bin/kubectl
printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/theirs.service
systemctl daemon-reload; systemctl enable --quiet --now theirs.service
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nftables tree >/dev/null 2>&1
nft add table inet theirs
nft 'add chain inet theirs input { type filter hook input priority 0; }'
nft add rule inet theirs input tcp dport 9 drop
ip link add theirs0 type bridge
`;
const snapshot = (host: string) => on(host, HOST_SNAPSHOT);

beforeAll(async () => {
  bench = await freshBench('kwd', 2);
  for (const { name } of bench.lab.hosts) {
    await on(name, FOREIGN);
    before.set(name, await snapshot(name));
  }
});
afterAll(() => bench.end());

describe('a cluster beside things of others', () => {
  it('is built after a build that was cancelled in its middle, without a reset in between', async () => {
    const { operation } = await bench.api.request<{ operation: string }>('POST', '/clusters', bench.lab.spec);
    for (;;) {
      const { tasks } = await bench.api.operation(bench.name, operation);
      if (tasks.some((task) => task.phase === 'runtime' && task.state !== 'pending')) break;
      await sleep(50);
    }
    await bench.api.request('POST', `/clusters/${bench.name}/cancel`, { operation });
    expect((await follow(operation)).state).toBe('cancelled');
    await build();
  });

  it('is not removed without its name', async () => {
    for (const path of ['', '?confirm=', '?confirm=other']) {
      await expect(bench.api.request('DELETE', `/clusters/${bench.name}${path}`)).rejects.toThrow(/NOT_CONFIRMED/);
    }
    await expect(bench.api.request('DELETE', `/clusters/${bench.name}/hosts/cp-1?confirm=cp-1`)).rejects.toThrow(
      /QUORUM_WOULD_BREAK/,
    );
  });

  it('loses one worker, which is as it was; the rest works on', async () => {
    const status = await request('DELETE', `/clusters/${bench.name}/hosts/worker-1?confirm=worker-1`);
    expect(status.tasks.filter(({ error }) => error)).toEqual([]);
    expect(status.state).toBe('succeeded');
    expect(differences(before.get('worker-1')!, await snapshot('worker-1'))).toEqual([]);
    const nodes = await on('cp-1', 'kubectl --kubeconfig /etc/kubewright/admin.kubeconfig get nodes --no-headers');
    expect(nodes.trim().split('\n')).toEqual([expect.stringMatching(/^cp-1 +Ready /)]);
    const cluster = await bench.api.request<{ state: string; hosts: { name: string }[] }>(
      'GET',
      `/clusters/${bench.name}`,
    );
    expect(cluster.state).toBe('ready');
    expect(cluster.hosts.map(({ name }) => name)).toEqual(['cp-1']);
  });

  it('is removed: earlier content is restored, files of others in our folders stay, and the answer lists both', async () => {
    await on('cp-1', 'touch /etc/kubernetes/theirs /opt/cni/bin/theirs');
    const status = await request('DELETE', `/clusters/${bench.name}?confirm=${bench.name}`);
    expect(status.tasks.filter(({ error }) => error)).toEqual([]);
    expect(status.state).toBe('succeeded');
    const { changes } = await bench.api.request<{
      changes: { host: string; changes: { resource: string; action: string; detail: string }[] }[];
    }>('GET', `/clusters/${bench.name}/operations/${status.operationId}?changes=true`);
    const told = changes.find(({ host }) => host === 'cp-1')!.changes;
    expect(told.filter(({ action }) => action === 'keep').map(({ resource }) => resource)).toEqual([
      'directory:/etc/kubernetes',
      'directory:/opt/cni/bin',
      'directory:/opt/cni',
    ]);
    for (const resource of [
      'service:etcd.service',
      'leftover:/var/lib/etcd/member',
      'link:flannel.1',
      'rules:kube-proxy',
    ]) {
      expect(told).toContainEqual(expect.objectContaining({ resource, action: 'remove' }));
    }
    await on('cp-1', 'test -e /etc/kubernetes/theirs; rm -r /etc/kubernetes /opt/cni');
    expect(differences(before.get('cp-1')!, await snapshot('cp-1'))).toEqual([]);
    expect(await on('cp-1', 'systemctl is-active theirs.service; kubectl; tree --version | cut -d" " -f1')).toBe(
      'active\ntheirs\ntree\n',
    );
    const cluster = await bench.api.request<{ state: string }>('GET', `/clusters/${bench.name}`);
    expect(cluster.state).toBe('removed');
    expect((await bench.api.commands(bench.name, { operation: status.operationId })).length).toBeGreaterThan(0);
    await expect(bench.api.request('GET', `/clusters/${bench.name}/kubeconfig`)).rejects.toThrow(/CONFLICT/);
  });

  it('is removed again without a change, and built again on the same hosts', async () => {
    const again = await request('DELETE', `/clusters/${bench.name}?confirm=${bench.name}`);
    expect(again.state).toBe('succeeded');
    expect(again.tasks.map(({ changeCount }) => changeCount)).toEqual(again.tasks.map(() => 0));
    await build();
    expect(await on('worker-1', 'systemctl is-active theirs.service kubelet.service')).toBe('active\nactive\n');
  });
});
