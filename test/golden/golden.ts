import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import type { ArtifactSource } from '../../activities/artifacts/source.ts';
import type { HostFacts } from '../../activities/host/types.ts';
import { proxyUrls } from '../../activities/kube/proxy.ts';
import { offerOf } from '../../activities/phases/offers.ts';
import { phaseOptions } from '../../activities/phases/options.ts';
import type { Phase, PhaseContext } from '../../activities/phases/phase.ts';
import { loadPhases } from '../../activities/phases/phase-loader.ts';
import { placementOf } from '../../activities/phases/placement.ts';
import { type PhaseRequirements, requirementsOn } from '../../activities/phases/requires.ts';
import type { Pki } from '../../activities/pki/types.ts';
import { type Resource, secretText, type Text } from '../../activities/resources/resource.ts';
import { type ClusterSpec, clusterSpec } from '../../contracts/cluster.ts';
import type { Host } from '../../contracts/host.ts';

const FILES = fileURLToPath(new URL('./files', import.meta.url));
const MIRROR = 'http://mirror.test:8081';

/** What a sample cluster may vary. */
export interface Sample {
  /** spec.phases */
  phases?: ClusterSpec['spec']['phases'] | undefined;
  /** Raw hosts; default three hosts, etcd on all, everything else on cp-1. */
  hosts?: readonly Record<string, unknown>[] | undefined;
  network?: Record<string, unknown> | undefined;
  /** spec.controlPlane.endpoint */
  endpoint?: object | undefined;
  /** spec.controlPlane.engine and etcd */
  engine?: { engine: 'binaries' | 'kubeadm'; etcd?: 'stacked' | 'external' } | undefined;
  policy?: object | undefined;
  /** spec.proxy; a login in it is `ann` with the password `p@ss word`. */
  proxy?: object | undefined;
  /** spec.registries; every login in it is `ann` with the password `p@ss word`. */
  registries?: readonly object[] | undefined;
  /** Architectures that the mirror has images for; default: amd64. */
  arches?: readonly string[] | undefined;
  /** False: no mirror, so official release files and upstream images. */
  mirror?: boolean | undefined;
}

/** A valid cluster for unit and golden tests. */
export function sampleCluster(sample: Sample = {}): ClusterSpec {
  const hosts = sample.hosts ?? [
    { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'worker', 'registry', 'time-server'] },
    { name: 'worker-1', address: '10.20.0.12', roles: ['etcd', 'worker'], labels: { tier: 'web' } },
    {
      name: 'worker-2',
      address: '203.0.113.13',
      internalAddress: '10.20.0.13',
      roles: ['etcd', 'worker'],
      taints: [{ key: 'dedicated', value: 'batch', effect: 'NoSchedule' }],
    },
  ];
  return clusterSpec.parse({
    apiVersion: 'kubewright.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'sample' },
    spec: {
      hosts,
      ssh: { credential: { keyFile: '/root/.ssh/id_ed25519' } },
      network: sample.network ?? {},
      artifacts: sample.mirror === false ? {} : { mirror: MIRROR },
      policy: sample.policy ?? {},
      ...(sample.endpoint === undefined && sample.engine === undefined
        ? {}
        : { controlPlane: { ...(sample.endpoint ? { endpoint: sample.endpoint } : {}), ...sample.engine } }),
      ...(sample.proxy === undefined ? {} : { proxy: sample.proxy }),
      ...(sample.registries === undefined ? {} : { registries: sample.registries }),
      phases: sample.phases ?? {},
    },
  });
}

export const sampleFacts: HostFacts = {
  hostname: 'sample',
  machineId: '0123456789abcdef0123456789abcdef',
  bootId: '00000000-0000-4000-8000-000000000001',
  arch: 'amd64',
  kernel: '6.12.0',
  os: { id: 'debian', idLike: [], versionId: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
  packageManager: 'apt',
  initSystem: 'systemd',
  cgroup: 2,
  cpus: 2,
  memoryMiB: 4096,
  virtualization: 'kvm',
};

const loaded = await loadPhases();

/** What our phases require of a host. */
export const requirementsOf = (cluster: ClusterSpec, host: Host): PhaseRequirements[] =>
  requirementsOn(cluster, host, loaded);

/** Certificates as fixed texts: golden files show which certificate goes where, never a real one. */
export const fakePki: Pki = {
  ca: (authority) => Promise.resolve(`FAKE CA ${authority}\n`),
  storedCa: (authority) => Promise.resolve(`FAKE CA ${authority}\n`),
  caKey: (authority) => Promise.resolve(secretText(`FAKE CA KEY ${authority}\n`)),
  leaf: (request) =>
    Promise.resolve({
      ca: `FAKE CA ${request.authority}\n`,
      cert: `FAKE CERTIFICATE\n${stringify(request)}`,
      key: secretText(`FAKE KEY ${request.name}\n`),
    }),
  keyPair: (name) =>
    Promise.resolve({ publicKey: `FAKE PUBLIC KEY ${name}\n`, privateKey: secretText(`FAKE PRIVATE KEY ${name}\n`) }),
  // Base64, as real ones are.
  randomSecret: (name) => Promise.resolve(secretText(Buffer.from(`FAKE SECRET ${name}`).toString('base64'))),
  personalKubeconfig: () => Promise.reject(new Error('no phase asks for one')),
  kubeconfig: (request, server) =>
    Promise.resolve(secretText(`# FAKE KUBECONFIG\n${stringify({ server, ...request })}`)),
};

const fakeSum = (text: string) => createHash('sha256').update(text).digest('hex');

/** Every artifact and image of the catalogue, from a mirror that has them all; images for these architectures. */
export function fakeArtifacts(mirror: boolean, arches: readonly string[] = ['amd64']): ArtifactSource {
  return {
    file: (artifact, version, arch) => {
      const { name } = artifact;
      const file = artifact.file(version, arch as 'amd64');
      const url = mirror ? `${MIRROR}/${file.mirrorPath}` : file.url;
      return Promise.resolve({ name, version, url, sha256: fakeSum(url), size: 1, kind: file.format });
    },
    imageFile: (image, arch) => {
      if (!mirror || !arches.includes(arch)) return Promise.resolve(null);
      const { name, mirrorPath, version } = image.file(arch as 'amd64');
      const url = `${MIRROR}/${mirrorPath}`;
      return Promise.resolve({ name: `image/${name}`, version, url, sha256: fakeSum(url), size: 1, kind: 'oci-tar' });
    },
  };
}

/** One case of a phase's golden test. */
export interface GoldenCase extends Sample {
  /** Name of the folder under test/golden/files/<phase>/. */
  name: string;
  /** Default: the phase's first host. */
  host?: string | undefined;
  facts?: Partial<HostFacts> | undefined;
}

/** The context that a phase's functions see, with fake certificates and artifacts. */
export async function sampleContext(phase: Phase, sample: Omit<GoldenCase, 'name'> = {}): Promise<PhaseContext<never>> {
  const cluster = sampleCluster(sample);
  const peers = placementOf(cluster, phase.hosts);
  const host =
    sample.host === undefined
      ? (peers[0] ?? cluster.spec.hosts[0])
      : cluster.spec.hosts.find((each) => each.name === sample.host);
  if (!host) throw new Error(`the sample has no host ${sample.host ?? `for ${phase.name}`}`);
  // In their order: what phases require is read in it.
  const phases = new Map(loaded.map((each) => [each.name, each]));
  return {
    cluster,
    operation: 'op',
    host,
    peers,
    options: phaseOptions(cluster, phase, host) as never,
    offer: (capability, other = host) => offerOf({ cluster, phases: phases.values() }, capability, other),
    facts: { ...sampleFacts, hostname: host.name, ...sample.facts },
    pki: fakePki,
    artifacts: fakeArtifacts(sample.mirror !== false, sample.arches),
    proxy: await proxyUrls(
      cluster,
      async () => ({ kind: 'proxy', user: 'ann', password: 'p@ss word' }),
      () => {},
    ),
    clientCertificate: async ({ credential: { name } }) => ({
      certificate: `certificate ${name}\n`,
      privateKey: secretText(`key ${name}\n`),
      ca: `ca ${name}\n`,
    }),
    registryLogin: async ({ credential }) =>
      credential ? { basic: secretText(Buffer.from('ann:p@ss word').toString('base64')) } : null,
    quarantined: [],
    targetHosts: null,
    clusterState: { get: async () => null, set: async () => {}, list: async () => new Map() },
    phases,
    purgeSecrets: () => Promise.reject(new Error('a golden test forgets nothing')),
    mode: 'apply',
  };
}

/**
 * Compares everything that a phase would put on a host with the files under test/golden/files/<phase>/<case>/: one file
 * per rendered text (named by its path, / as __) and `resources.yaml` with every resource in order.
 * `npm run golden:update` writes them.
 */
export async function expectGolden(phase: Phase, golden: GoldenCase): Promise<void> {
  const context = await sampleContext(phase, golden);
  const resources = (await phase.resources?.(context)) ?? [];
  expectGoldenFiles(`${phase.name}/${golden.name}`, renderResources(resources));
}

/** Compares named texts with the golden files of a folder; files that are no longer rendered count as a difference. */
export function expectGoldenFiles(folder: string, rendered: ReadonlyMap<string, string>): void {
  const path = join(FILES, folder);
  if (process.env['KUBEWRIGHT_GOLDEN_UPDATE'] === '1') {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    for (const [name, text] of rendered) writeFileSync(join(path, name), text);
  }
  const names = existsSync(path) ? readdirSync(path).sort() : [];
  const golden = Object.fromEntries(names.map((name) => [name, readFileSync(join(path, name), 'utf8')]));
  expect(Object.fromEntries(rendered), `golden files of ${folder}; npm run golden:update rewrites them`).toEqual(
    golden,
  );
}

const isText = (value: unknown): value is Text =>
  typeof value === 'string' || (typeof value === 'object' && value !== null && 'secret' in value && 'value' in value);

/** By the shape of a resource's fields, not by its kind: a new kind needs no change here. */
function renderResources(resources: readonly Resource[]): Map<string, string> {
  const files = new Map<string, string>();
  const add = (name: string, text: string): string => {
    const flat = name.replace(/^\//, '').replaceAll('/', '__').replaceAll(':', '_');
    if (files.has(flat)) throw new Error(`two resources render ${name}`);
    files.set(flat, text);
    return `see ${flat}`;
  };
  const shorten = (resource: Resource): Record<string, unknown> => {
    const short: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(resource)) {
      // What a resource does by itself is no state.
      if (value === undefined || typeof value === 'function') continue;
      if (key === 'content' && isText(value)) {
        const secret = typeof value !== 'string';
        short[key] = add(resource.id, secret ? value.value : value) + (secret ? ' (secret)' : '');
      } else if (key === 'unit' && typeof value === 'string') {
        short[key] = add(`${resource.id.replace(/\.service$/, '')}.service`, value);
      } else if (key === 'dropIns' && typeof value === 'object') {
        short[key] = Object.entries(value as Record<string, string>).map(([name, text]) =>
          add(`${resource.id.replace(/\.service$/, '')}.service.d/${name}`, text),
        );
      } else if (key === 'objects' && Array.isArray(value)) {
        short[key] = add(`${resource.id}.yaml`, value.map((object) => `---\n${stringify(object)}`).join(''));
      } else short[key] = key === 'mode' && typeof value === 'number' ? `0${value.toString(8)}` : value;
    }
    return short;
  };
  const list = resources.map(shorten);
  files.set('resources.yaml', stringify(list, { lineWidth: 0 }));
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}
