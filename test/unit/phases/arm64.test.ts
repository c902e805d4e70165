import { describe, expect, it } from 'vitest';
import type { ArtifactSource } from '../../../activities/artifacts/source.ts';
import { imageFiles, imageRef } from '../../../activities/kube/images.ts';
import { COREDNS } from '../../../activities/phases/dns/artifacts.ts';
import { scanPhases } from '../../../activities/phases/phase-loader.ts';
import type { CheckInput } from '../../../activities/phases/preflight/check.ts';
import { scanChecks } from '../../../activities/phases/preflight/checks.ts';
import { evaluate, loadChecks } from '../../../activities/phases/preflight/probe.ts';
import registry from '../../../activities/phases/registry/phase.ts';
import runtime from '../../../activities/phases/runtime/phase.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { memoryClusterState } from '../../fakes/memory-cluster-state.ts';
import {
  fakeArtifacts,
  fakePki,
  requirementsOf,
  sampleCluster,
  sampleContext,
  sampleFacts,
} from '../../golden/golden.ts';

const checks = (await scanChecks()).filter(({ name }) => name === 'architecture-files');
const phases = new Map((await scanPhases()).entries());

/** A mirror with the artifacts of one architecture, and all images of these. */
function mirrorOf(artifactArches: readonly string[], imageArches: readonly string[]): ArtifactSource {
  const all = fakeArtifacts(true, imageArches);
  return {
    ...all,
    file: (artifact, version, arch) =>
      artifactArches.includes(arch)
        ? all.file(artifact, version, arch)
        : Promise.reject(new KubewrightError('ARTIFACT_UNKNOWN', `no ${artifact.name}`)),
  };
}

async function problemsOn(arch: string, name: string, artifacts: ArtifactSource) {
  const cluster = sampleCluster();
  const host = cluster.spec.hosts.find((each) => each.name === name)!;
  const of = { cluster, host, requirements: requirementsOf(cluster, host), options: {} as never };
  const loaded = await loadChecks(checks, {
    ...{ cluster, host, pki: fakePki, clusterState: memoryClusterState(), phases, artifacts },
  } as never);
  const input = { ...of, facts: { ...sampleFacts, arch }, duplicateHost: null, askedAtMs: 0, answeredAtMs: 0, loaded };
  return evaluate(checks, input as unknown as CheckInput & { loaded: typeof loaded }, new Map());
}

describe('a mirror that lacks files for the machines of a host', () => {
  it('is refused in preflight, with the names of all', async () => {
    const [problem, ...others] = await problemsOn('arm64', 'worker-1', mirrorOf(['amd64'], ['amd64']));
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ code: 'ARTIFACT_UNKNOWN', message: expect.stringContaining('for arm64 machines') });
    for (const what of ['kubelet 1.36.3', 'containerd', 'etcd']) expect(problem!.evidence).toContain(what);
  });

  it('names images that nodes pull', async () => {
    const [problem] = await problemsOn('arm64', 'worker-1', mirrorOf(['amd64', 'arm64'], ['amd64']));
    expect(problem!.evidence).toMatch(/not for arm64: image .*coredns/);
  });

  it('is no matter of the hosts that it has files for, nor of a mirror that has both', async () => {
    expect(await problemsOn('amd64', 'worker-1', mirrorOf(['amd64'], ['amd64']))).toEqual([]);
    expect(await problemsOn('arm64', 'worker-1', mirrorOf(['amd64', 'arm64'], ['amd64', 'arm64']))).toEqual([]);
    // Nothing for either: not a matter of the architecture. Images then come from upstream.
    expect(await problemsOn('arm64', 'worker-1', mirrorOf([], []))).toEqual([]);
  });

  it('and that does not answer is left to the tasks that download from it', async () => {
    const silent: ArtifactSource = {
      file: () => Promise.reject(new KubewrightError('MIRROR_UNUSABLE', 'no answer')),
      imageFile: () => Promise.reject(new KubewrightError('MIRROR_UNUSABLE', 'no answer')),
    };
    expect(await problemsOn('arm64', 'worker-1', silent)).toEqual([]);
  });
});

describe('a cluster of amd64 and arm64 hosts', () => {
  const facts = { arch: 'arm64' };

  it('installs on each host the files of its own architecture', async () => {
    const resources = (await runtime.resources?.(await sampleContext(runtime, { host: 'worker-1', facts }))) ?? [];
    const urls = resources.flatMap((each) => ('file' in each ? [(each.file as { url: string }).url] : []));
    expect(urls.length).toBeGreaterThan(1);
    for (const url of urls) expect(url).toMatch(/arm64/);
  });

  it('has one name for an image on all nodes, whatever machine its control plane or its registry is', async () => {
    const arm = await sampleContext(registry, { facts, arches: ['amd64', 'arm64'] });
    const amd = await sampleContext(registry, { arches: ['amd64', 'arm64'] });
    expect(await imageRef(arm, COREDNS)).toBe(await imageRef(amd, COREDNS));
    expect((await imageFiles(arm.artifacts, COREDNS)).map(({ arch }) => arch)).toEqual(['amd64', 'arm64']);
    // A control plane on arm64 with a mirror for amd64 nodes: their image is in the registry.
    const only = await sampleContext(registry, { facts, arches: ['amd64'] });
    expect(await imageRef(only, COREDNS)).toMatch(/^registry\.kubewright\.internal/);
  });

  it('has the same images in its registry, whatever machine that is', async () => {
    const of = async (arch: string) =>
      registry.resources?.(await sampleContext(registry, { facts: { arch }, arches: ['amd64', 'arm64'] }));
    const images = async (arch: string) => (await of(arch))?.filter(({ kind }) => kind === 'registry-image');
    expect(await images('arm64')).toEqual(await images('amd64'));
    expect((await images('arm64'))![0]).toMatchObject({ platforms: [{ arch: 'amd64' }, { arch: 'arm64' }] });
  });
});
