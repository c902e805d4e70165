import { expect, test } from 'vitest';
import { DEFAULT_KUBERNETES_VERSION } from '../../../activities/kube/artifacts.ts';
import binaries from '../../../activities/phases/binaries.ts';
import { artifactFiles, scanCatalogue } from '../../../activities/phases/catalogue.ts';
import master from '../../../activities/phases/master/phase.ts';
import { offerOf } from '../../../activities/phases/offers.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import { loadPhases, scanPhases, sortPhases } from '../../../activities/phases/phase-loader.ts';
import { placementOf } from '../../../activities/phases/placement.ts';
import registry from '../../../activities/phases/registry/phase.ts';
import { requirementsOfCluster, requirementsOn } from '../../../activities/phases/requires.ts';
import type { ManifestsResource } from '../../../activities/resources/manifests.ts';
import { GoWorkshop } from '../../../lab/mirror/go/workshop.ts';
import { scanRecipes } from '../../../lab/mirror/recipes.ts';
import { openWeb } from '../../../lab/mirror/sources/web.ts';
import { chooseUnits, mirrorUnits } from '../../../lab/mirror/units.ts';
import { type GoldenCase, sampleCluster, sampleContext } from '../../golden/golden.ts';

/** A pod network from a folder of the tests, with a file, an image and a role: every phase and the mirror find them in its folder. */

const OURS = new URL('../../../activities/phases/', import.meta.url);
const TOYS = new URL('../../fixtures/toy-files/', import.meta.url);
const ours = await loadPhases();
const phases = sortPhases([...ours, ...(await scanPhases(TOYS))]);
const mesh = { flannel: { enabled: false }, toymesh: {} };

/** What a phase desires on a host, beside these phases. */
async function resourcesOf(phase: Phase, sample: Omit<GoldenCase, 'name'>, among: readonly Phase[] = phases) {
  const context = await sampleContext(phase, sample);
  const { cluster, host } = context;
  const offer: typeof context.offer = (capability, other = host) =>
    offerOf({ cluster, phases: among }, capability, other);
  const byName = new Map(among.map((each) => [each.name, each]));
  return (await phase.resources?.({ ...context, offer, phases: byName } as never)) ?? [];
}

async function idsOf(phase: Phase, kind: string, sample: Omit<GoldenCase, 'name'>): Promise<string[]> {
  return (await resourcesOf(phase, sample)).flatMap((each) => {
    if (each.kind !== kind) return [];
    return kind === 'manifests' ? (each as ManifestsResource).objects.map((object) => object.metadata.name) : [each.id];
  });
}

test('its file is downloaded early on every node, in the version of its options, in place of that of flannel', async () => {
  for (const host of ['cp-1', 'worker-1']) {
    const ids = await idsOf(binaries, 'artifact', { host, phases: { ...mesh, toymesh: { version: '2.0.9' } } });
    expect(ids).toContain('/usr/local/bin/toymeshd');
    expect(ids).toContain('/usr/local/bin/kubelet');
    expect(ids).not.toContain('/usr/local/bin/flanneld');
  }
  const resources = await resourcesOf(binaries, { phases: { ...mesh, toymesh: { version: '2.0.9' } } });
  expect(JSON.stringify(resources)).toContain('toymesh/v2.0.9/toymeshd-amd64');
  expect(await idsOf(binaries, 'artifact', {})).not.toContain('/usr/local/bin/toymeshd');
});

test('phases that start beside the downloads keep theirs, and a host gets what its own phases install', async () => {
  const early = await idsOf(binaries, 'archive', {});
  expect(early).toEqual([]);
  const worker = await idsOf(binaries, 'artifact', { host: 'worker-1' });
  expect(worker).not.toContain('/usr/local/bin/kube-apiserver');
});

test('its image is in the cluster registry when it is chosen', async () => {
  const images = await idsOf(registry, 'registry-image', { phases: mesh });
  expect(images).toContain('registry.kubewright.internal:5000/toymesh-proxy:2.1.0');
  expect(images.map((id) => id.split('/')[1])).toEqual([
    ...['pause:3.10.1', 'busybox:1.35.0', 'toymesh-proxy:2.1.0', 'coredns:1.15.0', 'metrics-server:0.9.0'],
    'headlamp:0.33.0',
  ]);
  expect((await idsOf(registry, 'registry-image', {})).join()).not.toContain('toymesh');
});

test('images of phases that are switched off are not preloaded, unless the spec names them', async () => {
  const off = { metrics: { enabled: false }, dashboard: { enabled: false } };
  const without = await idsOf(registry, 'registry-image', { phases: off });
  expect(without.join()).not.toMatch(/metrics-server|headlamp|kube-web-view/);
  const named = await idsOf(registry, 'registry-image', {
    phases: { ...off, registry: { preload: ['metrics-server'] } },
  });
  expect(named.at(-1)).toContain('/metrics-server:');
});

test('master applies its role and binding, and those of flannel leave with flannel', async () => {
  const names = await idsOf(master, 'manifests', { phases: mesh });
  expect(names.filter((name) => name === 'toymesh:nodes')).toHaveLength(2);
  expect(names).not.toContain('kubewright:flannel');
  expect(names).toContain('kubewright:cluster-admins');
  const usual = await idsOf(master, 'manifests', {});
  expect(usual).not.toContain('toymesh:nodes');
  expect(usual.filter((name) => name === 'kubewright:flannel')).toHaveLength(2);
});

test('a phase without a host requires nothing of the cluster', () => {
  const on = (roles: string[]) => {
    const hosts = [{ name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', ...roles] }];
    const timed = { ...phases.find(({ name }) => name === 'toymesh')!, name: 'timed', hosts: 'time-server' } as Phase;
    return requirementsOfCluster(sampleCluster({ hosts, phases: { timed: {} } }), [
      { ...timed, enabled: () => true },
    ]).flatMap(({ images = [] }) => images.map(({ name }) => name));
  };
  expect(on([])).toEqual([]);
  expect(on(['time-server'])).toEqual(['toymesh-proxy']);
});

test('the mirror lists it: the file from its release or built, the image pulled', async () => {
  const kubernetesVersion = DEFAULT_KUBERNETES_VERSION;
  const workshop = new GoWorkshop({ cacheDir: '/nowhere', workDir: '/nowhere', arch: 'amd64', kubernetesVersion });
  const catalogue = await scanCatalogue([OURS, TOYS]);
  const recipes = await scanRecipes([OURS, TOYS]);
  const options = { arch: 'amd64', kubernetesVersion, workshop, web: openWeb(), catalogue } as const;
  const units = mirrorUnits({ ...options, recipes });
  const found = units.flatMap(({ name, files, sources, after, optional }) =>
    name.includes('toymesh')
      ? [
          {
            name,
            files: files.map(({ mirrorPath }) => mirrorPath),
            by: sources.map((each) => each.name),
            after,
            optional,
          },
        ]
      : [],
  );
  expect(found).toEqual([
    {
      ...{ name: 'toymesh', files: ['toymesh/v2.1.0/toymeshd-amd64'], by: ['release', 'go-build'] },
      ...{ after: ['kubernetes'], optional: undefined },
    },
    {
      ...{ name: 'image/toymesh-proxy', files: ['images/toymesh-proxy-2.1.0-amd64.tar'], by: ['pull'] },
      ...{ after: [], optional: true },
    },
  ]);
  expect(artifactFiles(catalogue, { arch: 'arm64' }).map(({ url }) => url)).toContain(
    'https://toymesh.example/v2.1.0/toymeshd-arm64',
  );
  // Without a recipe a file is only downloaded.
  const ownRecipes = await scanRecipes([OURS]);
  const downloaded = mirrorUnits({ ...options, recipes: ownRecipes }).find(({ name }) => name === 'toymesh');
  expect(downloaded?.sources.map((each) => each.name)).toEqual(['release']);
  expect(() => mirrorUnits({ ...options, recipes: [...recipes, recipes.at(-1)!] })).toThrow('two mirror recipes');
  expect(() =>
    mirrorUnits({ ...options, catalogue: { artifacts: [], images: [], phaseOf: () => null }, recipes }),
  ).toThrow('catalogue');
});

test('a mirror has what is on demand when its phase, or it itself, is asked for', () => {
  const unit = (name: string, phase?: string | null) => ({
    ...{ name, files: [], sources: [], after: [] },
    ...(phase === undefined ? {} : { onDemand: { phase } }),
  });
  const units = [unit('etcd'), unit('mesh', 'mesh-net'), unit('image/mesh', 'mesh-net'), unit('suite', null)];
  const names = (asked: Parameters<typeof chooseUnits>[1]) => chooseUnits(units, asked).map(({ name }) => name);
  expect(names({})).toEqual(['etcd']);
  expect(names({ with: ['mesh-net'] })).toEqual(['etcd', 'mesh', 'image/mesh']);
  expect(names({ with: ['suite'] })).toEqual(['etcd', 'suite']);
  expect(names({ only: ['image/mesh'] })).toEqual(['image/mesh']);
  expect(() => names({ with: ['mash'] })).toThrow('the mirror has no unit mash');
});

test('builds start in an order: what waits for none, then the longest', async () => {
  const kubernetesVersion = DEFAULT_KUBERNETES_VERSION;
  const workshop = new GoWorkshop({ cacheDir: '/nowhere', workDir: '/nowhere', arch: 'amd64', kubernetesVersion });
  const catalogue = await scanCatalogue();
  const options = { arch: 'amd64', kubernetesVersion, workshop, web: openWeb(), catalogue } as const;
  const names = mirrorUnits({ ...options, recipes: await scanRecipes() }).map(({ name }) => name);
  expect(names[0]).toBe('kubernetes');
  expect(names.indexOf('runc')).toBeLessThan(names.indexOf('image/metrics-server'));
  expect(names.indexOf('image/metrics-server')).toBeLessThan(names.indexOf('etcd'));
  expect(names.indexOf('etcd')).toBeLessThan(names.indexOf('image/pause'));
});

test('all that our phases require is in the catalogue, so that every mirror knows it', async () => {
  const catalogue = await scanCatalogue();
  const flavours = [{}, { dashboard: { flavour: 'kube-web-view' } }];
  for (const cluster of flavours.map((chosen) => sampleCluster({ phases: chosen }))) {
    for (const { images = [] } of requirementsOfCluster(cluster, ours)) {
      for (const image of images) expect(catalogue.images).toContain(image);
    }
    for (const host of placementOf(cluster, 'all')) {
      for (const { artifacts = [] } of requirementsOn(cluster, host, ours)) {
        for (const { artifact } of artifacts) expect(catalogue.artifacts).toContain(artifact);
      }
    }
  }
});
