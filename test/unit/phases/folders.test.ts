import { describe, expect, it, test } from 'vitest';
import { folderIssues } from '../../../activities/phases/folders.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { clusterSpec } from '../../../contracts/cluster.ts';
import { dataDirectory } from '../../../contracts/data-directory.ts';

/** Paths are destinations: what a spec may name as a folder, and what it may not. */

const phases = await loadPhases();
type Options = Record<string, unknown>;
const specOf = (options: Options, host: Options = {}) =>
  clusterSpec.parse({
    apiVersion: 'kubewright.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'sample' },
    spec: {
      ssh: { credential: { name: 'key' } },
      hosts: [
        { name: 'cp-1', address: '10.0.0.1', roles: ['control-plane', 'etcd', 'registry', 'worker'] },
        { name: 'w-1', address: '10.0.0.2', roles: ['worker'], phases: host },
      ],
      phases: options,
    },
  });
const issues = (options: Options, host?: Options) => phaseValidator(phases)(specOf(options, host));
const paths = (options: Options, host?: Options) => issues(options, host).map(({ path }) => path);

describe('a data directory', () => {
  it.each([
    ['/data/etcd', '/data/etcd'],
    ['/data/etcd/', '/data/etcd'],
    ['//data//etcd//', '/data/etcd'],
    ['/data/./etcd/.', '/data/etcd'],
    ['/var/lib/etcd', '/var/lib/etcd'],
    ['/srv/etcd', '/srv/etcd'],
    ['/mnt/disk1', '/mnt/disk1'],
    ['/opt/etcd', '/opt/etcd'],
    ['/var/lib/etc.d', '/var/lib/etc.d'],
    ['/database', '/database'],
  ])('%s is %s', (given, normal) => {
    expect(dataDirectory.parse(given)).toBe(normal);
  });

  it.each(
    [
      ...[
        '/',
        '//',
        '/.',
        '/./',
        '/etc',
        '/etc/',
        '//etc',
        '/./etc',
        '/etc/kubernetes/x',
        '/usr',
        '/usr/local',
        '/usr/local/x',
      ],
      ...[
        '/var',
        '/var/',
        '/var/lib',
        '/var/lib/',
        '/var//lib',
        '/var/log',
        '/home',
        '/home/me',
        '/root',
        '/root/etcd',
      ],
      ...[
        '/run',
        '/run/x',
        '/tmp',
        '/tmp/x',
        '/var/tmp/x',
        '/var/run/x',
        '/boot',
        '/dev/shm',
        '/dev/null',
        '/proc/1',
        '/sys',
      ],
      ...['/snap', '/efi/x', '/nix/store', '/ostree', '/var/lib/NetworkManager', '/var/lib/sss/db', '/var/lib/cloud'],
      ...['/bin', '/sbin', '/lib', '/lib64/x', '/opt', '/srv', '/mnt', '/media', '/var/lib/dpkg', '/var/lib/systemd/x'],
      ...['etc', './x', '', '/data/../etc', '/data/..', '/data etcd', '/data\netcd', '/data/*', `/${'x'.repeat(5000)}`],
    ].map((path) => [path] as const),
  )('%j is refused', (path) => {
    expect(dataDirectory.safeParse(path).success).toBe(false);
  });
});

test('a spec without folders, or with separate folders, is valid', () => {
  expect(issues({})).toEqual([]);
  expect(issues({ etcd: { dataDir: '/data/etcd/' }, registry: { storageDir: '/data/registry' } })).toEqual([]);
  expect(
    issues({
      nodes: {
        kubelet: {
          extraArgs: {
            'root-dir': '/data/kubelet',
            'cert-dir': '/data/kubelet/pki',
            'config-dir': '/etc/kubernetes/x',
          },
          config: {
            podLogsDir: '/data/logs',
            volumePluginDir: '/usr/libexec/kubernetes/plugins',
            staticPodPath: '/etc/x',
          },
        },
      },
      master: { apiServer: { extraArgs: { 'audit-log-path': '-', 'oidc-ca-file': '/etc/ssl/certs/oidc.pem' } } },
      runtime: { containerd: { root: '/data/containerd', grpc: { address: '/run/containerd/containerd.sock' } } },
    }),
  ).toEqual([]);
  expect(
    issues({ master: { apiServer: { extraArgs: { 'audit-log-path': '/var/log/kubernetes/mine.log' } } } }),
  ).toEqual([]);
});

describe('a folder of another service is refused with its place', () => {
  it.each<[string, Options, string]>([
    ['the system’s', { etcd: { dataDir: '/etc' } }, 'spec.phases.etcd.dataDir'],
    ['a bare one of all', { registry: { storageDir: '/var/lib' } }, 'spec.phases.registry.storageDir'],
    ['another phase’s default', { registry: { storageDir: '/var/lib/etcd/' } }, 'spec.phases.registry.storageDir'],
    ['inside it', { registry: { storageDir: '/var/lib/etcd/x' } }, 'spec.phases.registry.storageDir'],
    ['another phase’s fixed one', { etcd: { dataDir: '/var/lib/kubelet' } }, 'spec.phases.etcd.dataDir'],
    ['inside a fixed one', { etcd: { dataDir: '//var/lib/containerd/./x' } }, 'spec.phases.etcd.dataDir'],
    ['around a fixed one', { etcd: { dataDir: '/opt/cni' } }, 'spec.phases.etcd.dataDir'],
    ['our own', { etcd: { dataDir: '/var/lib/kubewright' } }, 'spec.phases.etcd.dataDir'],
    ['inside our own', { registry: { storageDir: '/var/lib/kubewright/ledger' } }, 'spec.phases.registry.storageDir'],
    ['the audit log’s', { etcd: { dataDir: '/var/log/kubernetes' } }, 'spec.phases.etcd.dataDir'],
    [
      'by a flag',
      { nodes: { kubelet: { extraArgs: { 'root-dir': '/etc' } } } },
      'spec.phases.nodes.kubelet.extraArgs.root-dir',
    ],
    [
      'by a flag, relative',
      { nodes: { kubelet: { extraArgs: { 'root-dir': 'etc' } } } },
      'spec.phases.nodes.kubelet.extraArgs.root-dir',
    ],
    [
      'by a flag, another phase’s',
      { nodes: { kubelet: { extraArgs: { 'cert-dir': '/var/lib/etcd' } } } },
      'spec.phases.nodes.kubelet.extraArgs.cert-dir',
    ],
    [
      'a file of the system',
      { master: { apiServer: { extraArgs: { 'audit-log-path': '/etc/passwd' } } } },
      'spec.phases.master.apiServer.extraArgs.audit-log-path',
    ],
    [
      'a written configuration',
      { master: { scheduler: { extraArgs: { 'write-config-to': '/etc/shadow' } } } },
      'spec.phases.master.scheduler.extraArgs.write-config-to',
    ],
    [
      'by a configuration file',
      { nodes: { kubelet: { config: { podLogsDir: '/var/lib/etcd/' } } } },
      'spec.phases.nodes.kubelet.config.podLogsDir',
    ],
    ['containerd’s root', { runtime: { containerd: { root: '/etc/' } } }, 'spec.phases.runtime.containerd.root'],
    [
      'containerd’s socket',
      { runtime: { containerd: { grpc: { address: '/etc/passwd' } } } },
      'spec.phases.runtime.containerd.grpc.address',
    ],
    [
      'a plugin’s folder',
      { runtime: { containerd: { plugins: { 'io.containerd.snapshotter.v1.overlayfs': { root_path: '/usr' } } } } },
      'spec.phases.runtime.containerd.plugins.io.containerd.snapshotter.v1.overlayfs.root_path',
    ],
  ])('%s', (_what, options, path) => {
    expect(paths(options)).toEqual([path]);
  });

  it('of two that are given, both', () => {
    expect(paths({ etcd: { dataDir: '/data' }, registry: { storageDir: '/data/registry' } })).toEqual([
      'spec.phases.etcd.dataDir',
      'spec.phases.registry.storageDir',
    ]);
  });

  it('on one host alone', () => {
    expect(paths({ etcd: { dataDir: '/data/etcd' } }, { registry: { storageDir: '/data/etcd/x' } })).toEqual([
      'spec.hosts[1].phases.registry.storageDir',
    ]);
    expect(paths({}, { etcd: { dataDir: '/etc' } })).toEqual(['spec.hosts[1].phases.etcd.dataDir']);
    expect(paths({ etcd: { dataDir: '/data/etcd' } }, { registry: { storageDir: '/data/registry' } })).toEqual([]);
  });
});

test('however many folders a spec names, it is judged at once', () => {
  const plugins = Object.fromEntries(
    Array.from({ length: 20_000 }, (_, index) => [`plugin${index}`, { root_path: `/data/${index}` }]),
  );
  expect(folderIssues(specOf({ runtime: { containerd: { plugins } } }), phases)).toEqual([
    { path: 'spec.phases', message: expect.stringContaining('more than') },
  ]);
});
