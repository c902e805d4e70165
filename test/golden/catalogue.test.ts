import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { DEFAULT_KUBERNETES_VERSION, PREVIOUS_KUBERNETES_VERSION } from '../../activities/kube/artifacts.ts';
import { artifactFiles, CATALOGUE } from '../../activities/phases/catalogue.ts';
import type { Phase } from '../../activities/phases/phase.ts';
import { loadPhases } from '../../activities/phases/phase-loader.ts';
import type { ArtifactResource } from '../../activities/resources/artifact.ts';
import type { ManifestsResource } from '../../activities/resources/manifests.ts';
import { GoWorkshop } from '../../lab/mirror/go/workshop.ts';
import { scanRecipes } from '../../lab/mirror/recipes.ts';
import { openWeb } from '../../lab/mirror/sources/web.ts';
import { mirrorUnits } from '../../lab/mirror/units.ts';
import { expectGoldenFiles, type Sample, sampleContext } from './golden.ts';

/**
 * What clusters of many kinds download, run as images and have as the first objects; what the catalogue and a mirror hold.
 * The files were written before phases declared these themselves.
 */

const phases = new Map((await loadPhases()).map((phase) => [phase.name, phase]));
const phase = (name: string): Phase => phases.get(name)!;

const several = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
  { name: 'cp-2', address: '10.20.0.12', roles: ['control-plane', 'etcd', 'worker'] },
  { name: 'etcd-1', address: '10.20.0.13', roles: ['etcd'] },
  { name: 'store-1', address: '10.20.0.14', roles: ['registry'] },
  { name: 'worker-1', address: '10.20.0.15', roles: ['worker'] },
];

const CLUSTERS: Record<string, Sample> = {
  default: {},
  'several-hosts': { hosts: several },
  'no-mirror': { mirror: false, phases: { flannel: { version: '0.27.0' } } },
  'kube-web-view': { phases: { dashboard: { flavour: 'kube-web-view' } } },
  preload: { phases: { registry: { preload: ['kube-web-view', 'headlamp', 'coredns'] } } },
  'switched-off': { phases: { dashboard: { enabled: false }, metrics: { enabled: false } } },
};

/** Resources of a phase on each host where it has some. */
async function resourcesOf(name: string, sample: Sample) {
  const { cluster } = await sampleContext(phase('preflight'), sample);
  return Promise.all(
    cluster.spec.hosts.map(async (host) => {
      const context = await sampleContext(phase(name), { ...sample, host: host.name });
      const placed = context.peers.some((peer) => peer.name === host.name);
      return { host: host.name, resources: placed ? ((await phase(name).resources?.(context)) ?? []) : [] };
    }),
  );
}

test('what clusters download, preload and have as their first objects', async () => {
  const files = new Map<string, string>();
  for (const [name, sample] of Object.entries(CLUSTERS)) {
    const found: Record<string, Record<string, unknown>> = {};
    for (const { host, resources } of await resourcesOf('binaries', sample)) {
      if (resources.length > 0)
        found[host] = { binaries: resources.map((each) => `${(each as ArtifactResource).file.url} -> ${each.id}`) };
    }
    for (const { host, resources } of await resourcesOf('registry', sample)) {
      const images = resources.filter(({ kind }) => kind === 'registry-image').map(({ id }) => id);
      if (images.length > 0) found[host] = { ...found[host], images };
    }
    for (const { host, resources } of await resourcesOf('master', sample)) {
      const rbac = resources.find(({ kind, id }) => kind === 'manifests' && id === 'rbac') as ManifestsResource;
      if (rbac)
        found[host] = { ...found[host], objects: rbac.objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`) };
    }
    files.set(`${name}.yaml`, stringify(found, { lineWidth: 0 }));
  }
  expectGoldenFiles('requires/clusters', files);
});

test('the catalogue: names, versions, addresses, sums', () => {
  const files = new Map<string, string>();
  for (const arch of ['amd64', 'arm64'] as const) {
    for (const kubernetesVersion of [DEFAULT_KUBERNETES_VERSION, PREVIOUS_KUBERNETES_VERSION])
      files.set(
        `artifacts-${kubernetesVersion}-${arch}.yaml`,
        stringify(artifactFiles(CATALOGUE, { arch, kubernetesVersion }), { lineWidth: 0 }),
      );
    files.set(
      `images-${arch}.yaml`,
      stringify(
        CATALOGUE.images.map((image) => image.file(arch)),
        { lineWidth: 0 },
      ),
    );
  }
  expectGoldenFiles('requires/catalogue', files);
  expect(CATALOGUE.artifacts.length).toBeGreaterThanOrEqual(12);
});

test('the units of a mirror: files, sources in their order, what each waits for', async () => {
  const kubernetesVersion = DEFAULT_KUBERNETES_VERSION;
  const workshop = new GoWorkshop({ cacheDir: '/nowhere', workDir: '/nowhere', arch: 'amd64', kubernetesVersion });
  const units = mirrorUnits({
    ...({ arch: 'amd64', kubernetesVersion, workshop, web: openWeb() } as const),
    ...{ catalogue: CATALOGUE, recipes: await scanRecipes() },
  })
    .map(({ name, files, sources, after, light = false, optional = false }) => ({
      name,
      files: files.map(({ mirrorPath }) => mirrorPath),
      sources: sources.map((source) => source.name),
      ...{ after, light, optional },
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  expectGoldenFiles('requires/mirror', new Map([['units.yaml', stringify(units, { lineWidth: 0 })]]));
});
