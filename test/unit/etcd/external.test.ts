import { describe, expect, it, test } from 'vitest';
import { refusedSwitches } from '../../../activities/operations/switches.ts';
import { kubernetesStore } from '../../../activities/phases/capabilities/kubernetes-store.ts';
import { phaseCredentialUses } from '../../../activities/phases/credential-uses.ts';
import { externalBootstrap } from '../../../activities/phases/etcd/external.ts';
import { guardedValues } from '../../../activities/phases/guard.ts';
import { offerOf } from '../../../activities/phases/offers.ts';
import type { PhaseRun } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import pki from '../../../activities/phases/pki.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { type Sample, sampleCluster, sampleContext } from '../../golden/golden.ts';
import { makePlan } from '../../support/plans.ts';

const phases = await loadPhases();
const endpoints = ['https://10.9.0.1:2379', 'https://etcd-2.example.com:12379'];
const external = { mode: 'external', endpoints, credential: { name: 'etcd-client' } };
const hosts = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'worker'] },
  { name: 'w-1', address: '10.20.0.12', roles: ['worker'] },
];
const cluster = (bootstrap: object = external, more: Omit<Sample, 'phases'> & { phases?: object } = {}) =>
  sampleCluster({ hosts, ...more, phases: { etcd: { bootstrap }, ...more.phases } });
const issues = (of: ReturnType<typeof cluster>) =>
  phaseValidator(phases)(of).map(({ path, message }) => `${path}: ${message}`);

describe('spec.phases.etcd.bootstrap of mode external', () => {
  it('takes https endpoints, a credential, and a prefix', () => {
    expect(externalBootstrap.parse(external)).toMatchObject({ prefix: '/registry' });
    expect(externalBootstrap.parse({ ...external, prefix: '/prod/kube-1' })).toMatchObject({ prefix: '/prod/kube-1' });
    expect(issues(cluster())).toEqual([]);
  });

  test.each([
    [{ endpoints: ['http://10.9.0.1:2379'] }, /must be https/],
    [{ endpoints: ['https://10.9.0.1'] }, /HOST:PORT/],
    [{ endpoints: ['https://10.9.0.1:2379/v3'] }, /HOST:PORT/],
    [{ endpoints: ['https://user:pass@10.9.0.1:2379'] }, /HOST:PORT/],
    [{ endpoints: ['https://10.9.0.1:70000'] }, /HOST:PORT/],
    [{ endpoints: [] }, /endpoints/],
    [{ endpoints: [endpoints[0], endpoints[0]] }, /twice/],
    [{ endpoints: Array.from({ length: 21 }, (_, n) => `https://10.9.0.1:${2379 + n}`) }, /endpoints/],
    [{ prefix: '/' }, /path such as \/registry/],
    [{ prefix: 'registry' }, /path such as \/registry/],
    [{ prefix: '/registry/' }, /path such as \/registry/],
    [{ prefix: '/a/../registry' }, /path such as \/registry/],
    [{ credential: undefined }, /credential/],
    [{ credential: { keyFile: '/root/key' } }, /credential/],
    [{ token: 'x' }, /token/],
  ])('%o is refused', (more, expected) => {
    expect(issues(cluster({ ...external, ...more })).join('\n')).toMatch(expected);
  });

  it('needs hosts without the role etcd; without it some need the role', () => {
    const member = { ...hosts[0], roles: ['control-plane', 'etcd'] };
    expect(issues(cluster(external, { hosts: [member, hosts[1]!] }))).toEqual([
      expect.stringMatching(/^spec\.hosts\[0\]\.roles: cp-1 has the role etcd, .*external/),
    ]);
    for (const bootstrap of [undefined, { mode: 'static' }])
      expect(issues(sampleCluster({ hosts, phases: { etcd: { ...(bootstrap ? { bootstrap } : {}) } } }))).toEqual([
        expect.stringMatching(/^spec\.hosts: 0 hosts have the role etcd; a quorum needs an odd number/),
      ]);
  });

  it('is of the whole cluster, and sets the flags itself', () => {
    const onHost = sampleCluster({ hosts: [{ ...hosts[0], roles: ['control-plane', 'etcd'] }] });
    onHost.spec.hosts[0]!.phases = { etcd: { bootstrap: external } };
    expect(issues(onHost)).toEqual([
      expect.stringMatching(/^spec\.hosts\[0\]\.phases\.etcd\.bootstrap\.mode: external is/),
    ]);
    const flags = { master: { apiServer: { extraArgs: { 'etcd-prefix': '/other', v: '2' } } } };
    expect(issues(cluster(external, { phases: flags }))).toEqual([
      expect.stringMatching(/^spec\.phases\.master\.apiServer\.extraArgs\.etcd-prefix: remove it/),
    ]);
  });

  it('is set, changed and removed by admins only', () => {
    const { guarded = [] } = phases.find(({ name }) => name === 'etcd')!;
    expect([...guardedValues(guarded, { bootstrap: { ...external, prefix: '/a' } }).keys()]).toEqual([
      'bootstrap.endpoints',
      'bootstrap.credential',
      'bootstrap.prefix',
    ]);
  });

  it('uses its credential at every endpoint, as a client certificate', () => {
    const uses = phaseCredentialUses(cluster(), phases);
    expect(uses).toMatchObject([
      { path: 'spec.phases.etcd.bootstrap.credential', use: { address: '10.9.0.1', port: 2379 } },
      { path: 'spec.phases.etcd.bootstrap.credential', use: { address: 'etcd-2.example.com', port: 12379 } },
    ]);
    for (const { purpose, use } of uses)
      expect({ purpose, ...use.credential }).toEqual({ purpose: 'client-certificate', name: 'etcd-client' });
    expect(phaseCredentialUses(sampleCluster(), phases)).toEqual([]);
  });
});

describe('the store of API servers', () => {
  it('is the external etcd: its endpoints, its prefix, the client certificate of the user', () => {
    const offer = offerOf({ cluster: cluster({ ...external, prefix: '/prod' }), phases }, kubernetesStore);
    expect(offer).toMatchObject({
      ...{ servers: endpoints, prefix: '/prod', unit: null },
      clientCertificate: { credential: { name: 'etcd-client' }, places: [{ host: '10.9.0.1', port: 2379 }, {}] },
    });
  });

  it('is etcd of the cluster itself by default, its own member first', () => {
    const of = sampleCluster();
    expect(offerOf({ cluster: of, phases }, kubernetesStore, of.spec.hosts[0])).toEqual({
      ...{ servers: ['10.20.0.11', 'worker-1', 'worker-2'].map((name) => `https://${name}:2379`) },
      ...{ prefix: '/registry', unit: 'etcd.service', clientCertificate: null },
    });
  });

  it('is what plans wait for', () => {
    const input = {
      ...{ cluster: 'sample', operationId: 'op', kind: 'build', mode: 'apply', specRef: '0'.repeat(64) },
      ...{ requestId: 'r', actor: { name: 'ann', role: 'admin' } },
    } as Parameters<typeof makePlan>[0];
    const needs = (of: ReturnType<typeof cluster>) => {
      const plan = makePlan(input, of, phases);
      const stores = plan.phases.flatMap(({ needs }) => needs).filter(({ phase }) => /etcd|store/.test(phase));
      return { names: plan.phases.map(({ name }) => name), stores, quorum: plan.quorum.map(({ what }) => what) };
    };
    const own = needs(sampleCluster());
    expect(own.names).toContain('etcd');
    expect(own.stores).toContainEqual({ phase: 'etcd', on: 'quorum' });
    const theirs = needs(cluster());
    expect(theirs.names).not.toContain('etcd');
    expect(theirs.stores).toContainEqual({ phase: 'external-etcd', on: 'quorum' });
    expect(theirs.quorum).toEqual(['control planes']);
  });

  it('needs no authority etcd where it is external', async () => {
    for (const [of, made] of [
      [{}, ['kubernetes', 'etcd', 'front-proxy', 'registry']],
      [{ hosts, phases: { etcd: { bootstrap: external } } }, ['kubernetes', 'front-proxy', 'registry']],
    ] as [Sample, string[]][]) {
      const asked: string[] = [];
      const context = await sampleContext(pki, of);
      const spied = { ...context.pki, ca: async (name: string) => (asked.push(name), name) };
      await pki.hooks!.after!({ ...context, pki: spied } as unknown as PhaseRun<never>);
      expect(asked).toEqual(made);
    }
  });
});

describe('in a cluster that runs', () => {
  it('no build switches to an external etcd or back, or to another prefix', () => {
    const own = sampleCluster({ hosts: [{ ...hosts[0], roles: ['control-plane', 'etcd'] }] });
    expect(refusedSwitches(own, cluster(), phases)).toEqual([
      {
        path: 'spec.phases.etcd.bootstrap.mode',
        message: expect.stringMatching(/to external-etcd .* all objects of the cluster/),
      },
    ]);
    expect(refusedSwitches(cluster(), own, phases)).toEqual([
      { path: 'spec.phases.etcd.bootstrap.mode', message: expect.stringMatching(/switched to etcd /) },
    ]);
    expect(refusedSwitches(cluster(), cluster({ ...external, prefix: '/b' }), phases)).toEqual([
      { path: 'spec.phases.etcd.bootstrap.prefix', message: expect.stringMatching(/kubernetes-store is \/registry/) },
    ]);
    expect(refusedSwitches(cluster(), cluster({ ...external, endpoints: [endpoints[0]] }), phases)).toEqual([]);
  });
});
