import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { OperationStatus } from '../../contracts/operation.ts';
import { execInHost, powerOff } from '../../lab/faults.ts';
import type { ClusterSpecInput, Lab } from '../../lab/types.ts';
import { type Cluster, withCluster } from './chaos/cluster.ts';
import { figure } from './figures.ts';

const DEAD = 'worker-2';
const UNTOUCHED = 'worker-1';
const CONTROL_PLANE = 'cp-1';
/** A fourth machine of the lab that the spec does not name at first. */
const SPARE = 'worker-3';

interface ClusterView {
  state: string;
  quarantinedHosts: string[];
  hosts: { name: string; state: string; quarantined?: { by: string; why: string } }[];
}

/** The lab's spec without the spare machine, going on without hosts that fail. */
function withoutSpare({ spec }: Lab): ClusterSpecInput {
  const hosts = spec.spec.hosts.filter(({ name }) => name !== SPARE);
  return { ...spec, spec: { ...spec.spec, hosts, policy: { onHostFailure: 'quarantine' } } };
}

/** A 503 says that no worker answered yet: the same key is safe to repeat. */
async function post({ services, lab }: Cluster, path: string, body: object): Promise<{ operation: string }> {
  const key = { 'idempotency-key': randomUUID() };
  for (const deadline = Date.now() + 120_000; ; ) {
    try {
      return await services.api.request('POST', path.replace('demo', lab.name), body, key);
    } catch (error) {
      if (!String(error).includes('HTTP 503') || Date.now() > deadline) throw error;
      await sleep(200);
    }
  }
}
const view = ({ services, lab }: Cluster) => services.api.request<ClusterView>('GET', `/clusters/${lab.name}`);
const follow = async (at: Cluster, operation: string): Promise<OperationStatus> =>
  await at.services.api.follow(at.lab.name, operation);

/** Logins that a host has had, by its own sshd's count. At LogLevel VERBOSE it also says `Accepted key`, twice for each. */
async function sessions({ lab }: Cluster, host: string): Promise<number> {
  const { stdout } = await execInHost(lab, host, ['journalctl', '--unit', 'ssh', '--output', 'cat', '--no-pager']);
  return stdout.split('\n').filter((line) => line.startsWith('Accepted publickey ')).length;
}

async function nodes({ lab }: Cluster): Promise<string[]> {
  const { stdout } = await execInHost(lab, CONTROL_PLANE, [
    ...['/usr/local/bin/kubectl', '--kubeconfig', '/etc/kubewright/admin.kubeconfig', 'get', 'nodes', '-o'],
    'jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type=="Ready")].status} {.status.addresses[?(@.type=="InternalIP")].address}{"\\n"}{end}',
  ]);
  return stdout.trim().split('\n').sort();
}

describe('a worker that is down permanently', () => {
  it('is excluded by the policy; its replacement is healed together with one control plane and no other host', async () => {
    await withCluster({ name: 'kwwq', hosts: 4 }, async (at) => {
      const { lab } = at;
      const addressOf = (host: string) => lab.hosts.find(({ name }) => name === host)!.address;
      await powerOff(lab, DEAD);
      const build = await follow(at, (await post(at, '/clusters', withoutSpare(lab))).operation);
      expect(build).toMatchObject({ state: 'succeeded', quarantinedHosts: [DEAD] });
      expect(build.quarantine).toMatchObject([{ host: DEAD, by: 'policy' }]);
      const decided = `/clusters/${lab.name}/history?kind=decision&actor=policy`;
      const { items } = await at.services.api.request<{ items: object[] }>('GET', decided);
      expect(items).toMatchObject([{ host: DEAD, operation: build.operationId, result: 'ok' }]);
      const degraded = await view(at);
      expect(degraded).toMatchObject({ state: 'degraded', quarantinedHosts: [DEAD] });
      expect(degraded.hosts.find(({ name }) => name === DEAD)).toMatchObject({ state: 'quarantined' });
      expect(await nodes(at)).toHaveLength(2);

      // Connections that the build left open would hide new sessions.
      await at.services.restart();
      const before = { untouched: await sessions(at, UNTOUCHED), first: await sessions(at, CONTROL_PLANE) };
      const replaced = await post(at, `/clusters/demo/hosts/${DEAD}/replace`, {
        address: addressOf(SPARE),
        reason: 'the old one burnt down',
      });
      const heal = await follow(at, replaced.operation);
      expect(heal).toMatchObject({ kind: 'heal', state: 'succeeded', quarantinedHosts: [] });
      const after = { untouched: await sessions(at, UNTOUCHED), first: await sessions(at, CONTROL_PLANE) };
      expect(after.untouched - before.untouched).toBe(0);
      expect(after.first - before.first).toBe(1);
      expect(await sessions(at, SPARE)).toBe(1);
      const commands = await at.services.api.commands(lab.name, { operation: replaced.operation });
      // Requests are in the same trail, without a host.
      const touched = new Set(commands.map(({ host }) => host).filter((host) => host !== ''));
      expect([...touched].sort()).toEqual([CONTROL_PLANE, DEAD]);
      figure('quarantine', {
        what: 'SSH sessions while another machine is healed into its place',
        [UNTOUCHED]: String(after.untouched - before.untouched),
        [CONTROL_PLANE]: String(after.first - before.first),
        [`${SPARE} as ${DEAD}`]: '1',
      });

      expect((await view(at)).state).toBe('ready');
      expect(await nodes(at)).toContain(`${DEAD} True ${addressOf(SPARE)}`);
      // The next build updates the address on the others, and changes nothing else.
      const { operation } = await post(at, '/clusters/demo/operations', { kind: 'build' });
      const next = await follow(at, operation);
      expect(next).toMatchObject({ state: 'succeeded', quarantinedHosts: [] });
      const changed = next.tasks.filter(({ changeCount = 0 }) => changeCount > 0);
      expect(changed.map(({ phase, host }) => `${phase} ${host}`).sort()).toEqual([
        `prepare ${CONTROL_PLANE}`,
        `prepare ${UNTOUCHED}`,
      ]);
    });
  });
});
