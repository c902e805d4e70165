import { describe, expect, test } from 'vitest';
import * as identities from '../../../activities/kube/identities.ts';
import {
  endpointNamesInUse,
  hasNoEndpointNames,
  noteEndpointNames,
} from '../../../activities/phases/endpoint-names.ts';
import { keepEarlierNames, servingRequest } from '../../../activities/phases/master/serving.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import type { OperationInput } from '../../../contracts/operation.ts';
import { sampleContext } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';

const input: OperationInput = {
  ...{ kind: 'build', mode: 'apply', cluster: 'sample', operationId: 'operation', requestId: 'request' },
  ...{ specRef: 'a'.repeat(64), actor: { name: 'admin', role: 'admin' } },
};
const phases = await loadPhases();
const master = phases.find(({ name }) => name === 'master')!;

/** The context of a control plane of a cluster whose endpoint is at this host, with notes that are kept in memory. */
async function contextWith(endpoint: string | undefined, notes: Map<string, string>) {
  const context = await sampleContext(master);
  if (endpoint !== undefined) context.cluster.spec.controlPlane = { endpoint: { host: endpoint } };
  return {
    ...context,
    clusterState: {
      get: async (name: string) => notes.get(name) ?? null,
      set: async (name: string, text: string) => void notes.set(name, text),
      list: async (prefix: string) => new Map([...notes].filter(([name]) => name.startsWith(prefix))),
    },
  };
}
const at = (context: Awaited<ReturnType<typeof contextWith>>, name: string) => ({
  ...context,
  host: context.cluster.spec.hosts.find((each) => each.name === name)!,
});
const namesOf = async (context: Awaited<ReturnType<typeof contextWith>>) =>
  (await servingRequest(context as never)).dnsNames!.filter((name) => name.startsWith('api-'));

describe('certificates of API servers while a running cluster moves', () => {
  test('have the old name and the new one until the last node is Ready with the new one', async () => {
    const notes = new Map<string, string>();
    const before = await contextWith('api-old.test', notes);
    for (const node of ['cp-1', 'worker-1', 'worker-2']) await noteEndpointNames(at(before, node), { replaces: true });
    expect(await namesOf(before)).toEqual(['api-old.test']);

    const moved = await contextWith('api-new.test', notes);
    expect(await namesOf(moved)).toEqual(['api-new.test', 'api-old.test']);
    // The kubelet was changed; it is not known yet that the node is Ready.
    await noteEndpointNames(at(moved, 'cp-1'), { replaces: false });
    await noteEndpointNames(at(moved, 'worker-1'), { replaces: true });
    expect(await endpointNamesInUse(moved)).toEqual(['api-new.test', 'api-old.test']);
    // Interrupted, and back: nodes on either side.
    expect(await namesOf(before)).toEqual(['api-old.test', 'api-new.test']);
    for (const node of ['cp-1', 'worker-2']) await noteEndpointNames(at(moved, node), { replaces: true });
    expect(await namesOf(moved)).toEqual(['api-new.test']);
  });

  test('a node that failed keeps the name, until it leaves the spec', async () => {
    const notes = new Map([['endpoint-names/worker-2', '["api-old.test"]']]);
    const context = await contextWith('api-new.test', notes);
    expect(await namesOf(context)).toEqual(['api-new.test', 'api-old.test']);
    context.cluster.spec.hosts = context.cluster.spec.hosts.filter(({ name }) => name !== 'worker-2');
    expect(await namesOf(context)).toEqual(['api-new.test']);
  });

  test('of an earlier version keep their names once, where no node has a note', async () => {
    const notes = new Map<string, string>();
    const context = await contextWith('api-new.test', notes);
    const ca = await issueCa('sample', new Date());
    const old = identities.apiServerServer(context.cluster, context.host, ['api.kubewright.internal', 'api-old.test']);
    const { cert } = await issueLeaf(ca, old, new Date());
    const asked: string[][] = [];
    const remote = {
      exec: async (argv: string[]) => {
        asked.push(argv);
        return { code: 0, stdout: cert, stderr: '' };
      },
    };
    await keepEarlierNames({ ...context, remote, mode: 'check' } as never);
    expect(await hasNoEndpointNames(context)).toBe(true);
    await keepEarlierNames({ ...context, remote } as never);
    await keepEarlierNames({ ...context, remote } as never);
    expect(asked).toEqual([['cat', '/etc/kubernetes/pki/apiserver.crt']]);
    expect(await namesOf(context)).toEqual(['api-new.test', 'api-old.test']);
  });
});

test('names leave the certificates as the last step, after clean-up on every host', async () => {
  const { cluster } = await sampleContext(master);
  const { phases: planned } = makePlan(input, cluster, phases);
  const { needs } = planned.find(({ name }) => name === 'serving-names')!;
  expect(needs).toEqual(
    expect.arrayContaining([
      { phase: 'node-ready', on: 'every-host' },
      { phase: 'cleanup', on: 'every-host' },
    ]),
  );
  for (const name of ['cleanup', 'prune', 'verify', 'node-ready'])
    expect(planned.find((each) => each.name === name)!.needs.map(({ phase }) => phase)).not.toContain('serving-names');
});
