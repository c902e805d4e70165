import { describe, expect, it } from 'vitest';
import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { hostAddresses } from '../../../contracts/host-addresses.ts';
import type { OperationStatus } from '../../../contracts/operation.ts';
import type { Store } from '../../../store/index.ts';
import { spec } from './sample-spec.ts';

type Status = (cluster: string, more?: Partial<OperationStatus>) => Promise<OperationStatus>;

/** Whose a machine is, and when a cluster counts as built: the same on every engine. */
export function ownershipContract(
  store: () => Store,
  { unique, status }: { unique: (prefix: string) => string; status: Status },
): void {
  const specOf = (name: string, address: string, more: object = {}): ClusterSpec => {
    const made = spec(name);
    return { ...made, spec: { ...made.spec, hosts: [{ ...made.spec.hosts[0]!, address, ...more }] } };
  };
  const wantedBy = (cluster: ClusterSpec) => cluster.spec.hosts.flatMap((host) => hostAddresses(cluster, host));
  /** What of the spec's machines is another's; reserved when nothing is. */
  const reserve = async (cluster: ClusterSpec): Promise<string[]> => {
    const specRef = await store().specs.put(cluster);
    const taken = await store().addresses.reserve(cluster.metadata.name, specRef, wantedBy(cluster));
    return taken.map(({ address, port }) => `${address}:${port}`);
  };
  const operation = async (cluster: ClusterSpec, more: Partial<OperationStatus>) =>
    store().projections.saveOperation(
      await status(cluster.metadata.name, { specRef: await store().specs.put(cluster), ...more }),
    );

  describe('addresses', () => {
    it('are those of a cluster from its reservation on, and free again once it was removed', async () => {
      const [one, two] = [unique('one'), unique('two')];
      expect(await reserve(specOf(one, '10.61.0.1'))).toEqual([]);
      expect(await reserve(specOf(two, '10.61.0.1'))).toEqual(['10.61.0.1:22']);
      const specRef = await store().specs.put(specOf(one, '10.61.0.1'));
      await store().addresses.release(one, specRef);
      expect(await store().addresses.taken(two, wantedBy(specOf(two, '10.61.0.1')))).toEqual([]);
      for (const state of ['queued', 'running', 'failed'] as const) {
        await operation(specOf(one, '10.61.0.1'), { state });
        expect(await reserve(specOf(two, '10.61.0.1')), state).toEqual(['10.61.0.1:22']);
      }
      await reserve(specOf(one, '10.61.0.1'));
      await new Promise((resolve) => setTimeout(resolve, 5));
      await operation(specOf(one, '10.61.0.1'), { operationId: 'op-2', kind: 'teardown', state: 'succeeded' });
      expect(await reserve(specOf(two, '10.61.0.1'))).toEqual([]);
      // And now it is the other's.
      expect(await reserve(specOf(one, '10.61.0.1'))).toEqual(['10.61.0.1:22']);
    });

    it('of a dry run are not owned', async () => {
      const [one, two] = [unique('one'), unique('two')];
      await operation(specOf(one, '10.62.0.1'), { kind: 'check', mode: 'check' });
      expect(await reserve(specOf(two, '10.62.0.1'))).toEqual([]);
    });

    it('count with their port; internal ones with any port; those behind another jump host are ignored', async () => {
      const [one, two] = [unique('one'), unique('two')];
      await operation(specOf(one, '10.63.0.1', { internalAddress: '192.168.63.1' }), {});
      const jump = { address: 'bastion', port: 22, user: 'root', credential: { name: 'key' } };
      const said = async (address: string, more: object = {}) => {
        const cluster = specOf(two, address, more);
        const taken = await store().addresses.taken(two, wantedBy(cluster));
        return taken.map((each) => `${each.address}:${each.port}`);
      };
      expect(await said('10.63.0.1', { ssh: { port: 2222 } })).toEqual([]);
      expect(await said('10.63.0.2', { internalAddress: '10.63.0.1' })).toEqual(['10.63.0.1:0']);
      expect(await said('10.63.0.2', { internalAddress: '192.168.63.1' })).toEqual(['192.168.63.1:0']);
      expect(await said('192.168.63.1', { ssh: { port: 2222 } })).toEqual(['192.168.63.1:2222']);
      expect(await said('10.63.0.1', { ssh: { jump } })).toEqual([]);
      expect(await said('10.63.0.2', { internalAddress: '127.0.0.1' })).toEqual([]);
    });

    it('go to one of many that ask at once', async () => {
      const names = Array.from({ length: 12 }, () => unique('racer'));
      const answers = await Promise.all(names.map((name) => reserve(specOf(name, '10.64.0.1'))));
      expect(answers.filter((taken) => taken.length === 0)).toHaveLength(1);
    });

    it('that a cluster has already stay its own, also where an older version gave them to two', async () => {
      const [one, two] = [unique('one'), unique('two')];
      await operation(specOf(one, '10.65.0.1'), { state: 'succeeded' });
      await operation(specOf(two, '10.65.0.1'), { state: 'succeeded' });
      expect(await reserve(specOf(one, '10.65.0.1'))).toEqual([]);
      expect(await reserve(specOf(two, '10.65.0.1'))).toEqual([]);
    });

    it('name the names among them', async () => {
      const [one, two] = [unique('one'), unique('two')];
      await operation(specOf(one, 'machine.example.org'), {});
      expect(await store().addresses.names(two)).toContain('machine.example.org');
      expect(await store().addresses.names(one)).not.toContain('machine.example.org');
    });
  });

  describe('the state of a cluster', () => {
    const after = async (cluster: string, ...operations: Partial<OperationStatus>[]) => {
      for (const [index, more] of operations.entries()) {
        const queuedAt = `2026-11-21T12:00:0${index}.000Z`;
        await store().projections.saveOperation(
          await status(cluster, { operationId: `op-${index}`, state: 'succeeded', queuedAt, ...more }),
        );
      }
      return (await store().projections.cluster(cluster))?.state;
    };

    it('is not ready by a part of a build', async () => {
      expect(await after(unique('part'), { phases: ['prepare'] })).toBe('incomplete');
      expect(await after(unique('part'), { hosts: ['cp-1'] })).toBe('ready');
      expect(await after(unique('part'), { hosts: [] })).toBe('incomplete');
      expect(await after(unique('part'), { state: 'failed' }, { phases: ['prepare'] })).toBe('incomplete');
      expect(await after(unique('part'), { state: 'failed' }, { kind: 'heal', hosts: ['cp-1'] })).toBe('incomplete');
      expect(await after(unique('part'), { phases: ['a'] }, { phases: ['b'], state: 'running' })).toBe('building');
    });

    it('stays ready by a part of a build where it was built as a whole before, in this life', async () => {
      const part = { phases: ['prepare'] };
      expect(await after(unique('whole'), {}, part)).toBe('ready');
      expect(await after(unique('whole'), {}, part, { state: 'failed' }, part)).toBe('ready');
      expect(await after(unique('whole'), {}, { kind: 'teardown', hosts: ['w-1'] }, part)).toBe('ready');
      expect(await after(unique('whole'), {}, { kind: 'teardown' }, part)).toBe('incomplete');
      expect(await after(unique('whole'), part, { kind: 'teardown', hosts: ['w-1'] })).toBe('incomplete');
    });
  });
}
