import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Role } from '../../contracts/host.ts';
import type { Change } from '../../contracts/operation.ts';
import { type Bench, freshBench, ssh } from '../e2e/support.ts';

/**
 * Roles that move from host to host: what they left is taken away, and nothing else; a host that leaves the spec without a
 * DELETE is refused.
 */

interface Spec {
  spec: { hosts: { name: string; roles: Role[] }[] };
}
let bench: Bench;
const hostNamed = (name: string) => bench.lab.hosts.find((each) => each.name === name)!;

const withRoles = (roles: Record<string, Role[]>): Spec => {
  const spec = structuredClone(bench.lab.spec) as unknown as Spec;
  for (const host of spec.spec.hosts) host.roles = roles[host.name] ?? host.roles;
  spec.spec.hosts = spec.spec.hosts.filter(({ name }) => name in roles);
  return spec;
};
const FIRST = withRoles.bind(null, {
  'cp-1': ['control-plane', 'etcd', 'registry', 'time-server'],
  'worker-1': ['worker'],
  'worker-2': ['worker'],
});
const MOVED = withRoles.bind(null, {
  'cp-1': ['control-plane', 'etcd'],
  'worker-1': ['worker', 'registry'],
  'worker-2': ['worker', 'time-server'],
});

async function follow(operation: string): Promise<Change[]> {
  const status = await bench.api.follow(bench.name, operation);
  expect(status.state, JSON.stringify(status.tasks.flatMap(({ error }) => error ?? []))).toBe('succeeded');
  const { changes } = await bench.api.request<{ changes: { host: string; changes: Change[] }[] }>(
    'GET',
    `/clusters/${bench.name}/operations/${operation}?changes=true`,
  );
  return changes.flatMap((task) =>
    task.changes.map((each) => ({ ...each, resource: `${task.host} ${each.resource}` })),
  );
}
const build = async (spec: Spec, query = '') =>
  follow((await bench.api.request<{ operation: string }>('POST', `/clusters${query}`, spec)).operation);
const removed = (changes: readonly Change[]) =>
  changes.flatMap(({ action, resource }) => (action === 'remove' ? [resource] : [])).sort();

beforeAll(async () => {
  bench = await freshBench('kwro', 3);
  await build(FIRST());
});
afterAll(() => bench?.end());

const REGISTRY = `systemctl is-active registry 2>/dev/null || :; ls -d /usr/local/bin/registry /etc/kubewright/registry /var/lib/registry /var/lib/kubewright/registry 2>/dev/null; getent passwd registry | cut -d: -f1`;

it('registry and time server move: the old host is left without a trace of them', async () => {
  const before = (await ssh(hostNamed('cp-1'), REGISTRY)).trim();
  expect(before).toMatch(/^active/);
  const preview = removed(await build(MOVED(), '?dryRun=true'));
  expect(preview).toEqual(expect.arrayContaining(['cp-1 service:registry.service', 'cp-1 user:registry']));
  expect((await ssh(hostNamed('cp-1'), REGISTRY)).trim()).toBe(before);

  expect(removed(await build(MOVED()))).toEqual(preview);
  expect((await ssh(hostNamed('cp-1'), REGISTRY)).trim()).toBe('inactive');
  expect((await ssh(hostNamed('worker-1'), REGISTRY)).trim()).toBe(before);
  // A node that has no image any more pulls from the new one.
  const pulled = await ssh(
    hostNamed('worker-2'),
    `ctr -n k8s.io images ls -q | grep /busybox: | head -n 1 >/run/ref; ctr -n k8s.io images rm $(cat /run/ref) >/dev/null; ctr -n k8s.io images pull --hosts-dir /etc/containerd/certs.d "$(cat /run/ref)" >/dev/null && echo pulled`,
  );
  expect(pulled).toContain('pulled');
  expect(await build(MOVED())).toEqual([]);
});

it('a host leaves by its DELETE, not by a spec without it', async () => {
  const without = MOVED();
  without.spec.hosts = without.spec.hosts.filter(({ name }) => name !== 'worker-2');
  await expect(bench.api.request('POST', '/clusters', without)).rejects.toThrow(/REMOVAL_REFUSED.*worker-2/s);
  const { operation } = await bench.api.request<{ operation: string }>(
    'DELETE',
    `/clusters/${bench.name}/hosts/worker-2?confirm=worker-2`,
  );
  await follow(operation);
  await build(without);
  expect(await build(without)).toEqual([]);
});
