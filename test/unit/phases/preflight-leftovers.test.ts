import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isCleaned } from '../../../activities/leftovers/found.ts';
import { toolOf } from '../../../activities/leftovers/tools.ts';
import type { CheckInput } from '../../../activities/phases/preflight/check.ts';
import earlierCluster from '../../../activities/phases/preflight/checks/earlier-cluster.ts';
import etcdData from '../../../activities/phases/preflight/checks/etcd-data.ts';
import folderLinks from '../../../activities/phases/preflight/checks/folder-links.ts';
import leftovers from '../../../activities/phases/preflight/checks/leftovers.ts';
import networkOverlap from '../../../activities/phases/preflight/checks/network-overlap.ts';
import { probeScript, readAnswers } from '../../../activities/phases/preflight/probe.ts';
import { walMember } from '../../../activities/phases/preflight/wal-member.ts';
import { LEDGER, STATE_DIR } from '../../../activities/resources/paths.ts';
import { requirementsOf, type Sample, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const NOW = Date.UTC(2026, 10, 30);

const input = (
  options: Record<string, unknown> = {},
  phases: Record<string, Record<string, unknown>> = {},
  sample: Sample = {},
) => {
  const cluster = sampleCluster(sample);
  cluster.spec.phases = { ...cluster.spec.phases, ...phases };
  return {
    cluster,
    host: cluster.spec.hosts[0]!,
    requirements: requirementsOf(cluster, cluster.spec.hosts[0]!),
    options: options as never,
    facts: sampleFacts,
    duplicateHost: null,
    askedAtMs: NOW,
    answeredAtMs: NOW,
  } satisfies CheckInput<never>;
};

/** The first 128 bytes of a write-ahead log that etcd 3.6.14 wrote on a lab host; `etcdctl member list --hex` gave the ids. */
const WAL =
  '040000000000008408041000000000001f000000000000810801109f98c589071a150896fd8695d0a7b3e17410e296f3e8d8def4b8c501000e00000000000082080510cde8cfb1031a040800100000007100000000000087080210a6c3e0fd0b1a67080110011801225f080010001896fd8695d0a7b3e174224f7b226964223a';

describe('data of an earlier etcd', () => {
  const rows = (real = '/var/lib/etcd/member') => [
    ['data', real, String((NOW - 40 * 86_400_000) / 1000), `${real}//wal/0.wal`, '6100'],
    ['wal', WAL],
    ['file', '/etc/kubernetes/manifests/etcd.yaml', '-'],
    ['name', 'old-cp-1'],
  ];

  test('is reported with its age, member, cluster and owner', () => {
    const [problem, ...more] = etcdData.evaluate(input(), rows());
    expect(more).toEqual([]);
    expect(problem).toMatchObject({
      code: 'ETCD_DATA_FOUND',
      message:
        '/var/lib/etcd/member has the data of an earlier etcd, last written 2026-10-21T00:00:00.000Z (40 days ago)',
    });
    for (const words of [
      'member 74c2cd3d02a1be96 of the etcd cluster c571d2f58d1ccb62',
      'its name: old-cp-1',
      'kubeadm reset -f',
      'rm -rf /var/lib/etcd/member',
    ]) {
      expect(problem!.evidence).toContain(words);
    }
  });

  test('is searched in the folder of the option, and reported with its real path', () => {
    const of = input({}, { etcd: { dataDir: '/data/etcd/' } });
    expect(etcdData.probe!.args(of)).toEqual(['/data/etcd', 'etcd.service']);
    const [problem] = etcdData.evaluate(of, rows('/disk2/etcd/member'));
    expect(problem!.message).toContain('/data/etcd/member (really /disk2/etcd/member)');
  });

  test('that is not there, or cannot be read, is nothing, and the ids are left out', () => {
    expect(etcdData.evaluate(input(), [])).toEqual([]);
    expect(walMember(WAL)).toEqual({ member: '74c2cd3d02a1be96', cluster: 'c571d2f58d1ccb62' });
    expect(walMember(WAL.slice(0, 80))).toBeNull();
    for (const hex of ['', 'zz', '00', 'ff'.repeat(128), '00'.repeat(128)]) expect(walMember(hex)).toBeNull();
    const [problem] = etcdData.evaluate(input(), [['data', '/var/lib/etcd/member', 'x', '/f', '']]);
    expect(problem!.message).toContain('at an unknown time');
  });
});

describe('data of etcd is known by what the phase that runs it left in the ledger of the host', () => {
  const RECORD = `${STATE_DIR}/kubeadm-control-plane`;
  const stacked = { engine: { engine: 'kubeadm', etcd: 'stacked' } } as const satisfies Sample;
  const external = { engine: { engine: 'kubeadm', etcd: 'external' } } as const satisfies Sample;

  /** What the check says on a host with data of etcd, and these lines in the ledger. */
  function found(sample: Sample, ledger: readonly string[]) {
    const root = mkdtempSync(join(tmpdir(), 'kubewright-etcd-data-'));
    try {
      const of = input({}, { etcd: { dataDir: '/data/etcd' } }, sample);
      const { text, args } = probeScript([etcdData], of);
      const at = (path: string) => join(root, path);
      const [folder = '', ...more] = args;
      for (const path of ['/data/etcd/member/snap', dirname(LEDGER)]) mkdirSync(at(path), { recursive: true });
      writeFileSync(at('/data/etcd/member/snap/db'), 'x');
      writeFileSync(at(LEDGER), ledger.map((key) => `${key}\tphase\t{}\n`).join(''));
      // Ledger and data are those of the test; its machine has no unit of ours.
      const script = text.replaceAll(LEDGER, at(LEDGER));
      const said = execFileSync('sh', ['-c', script, 'sh', at(folder), ...more], { encoding: 'utf8' });
      return etcdData.evaluate(of, readAnswers(said).get('etcd-data') ?? []).map(({ code }) => code);
    } finally {
      rmSync(root, { recursive: true });
    }
  }

  test.each([
    ['engine binaries', {}, 'service:etcd.service', `file:${RECORD}`],
    ['kubeadm, etcd apart', external, 'service:etcd.service', `file:${RECORD}`],
    ['kubeadm, stacked', stacked, `file:${RECORD}`, 'service:etcd.service'],
  ] as [string, Sample, string, string][])('%s', (_engine, sample, own, another) => {
    const hosts = [{ name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'registry'] }];
    expect(found({ ...sample, hosts }, [own])).toEqual([]);
    expect(found({ ...sample, hosts }, [])).toEqual(['ETCD_DATA_FOUND']);
    expect(found({ ...sample, hosts }, [another])).toEqual(['ETCD_DATA_FOUND']);
  });

  test('hosts without a member are not searched', () => {
    const of = input(
      {},
      {},
      { hosts: [{ name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'registry'] }] },
    );
    expect(etcdData.probe!.args({ ...of, requirements: [] })).toBeNull();
  });
});

describe('leftovers', () => {
  const found = [
    [
      'dropin',
      'kubelet.service',
      '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf',
      '3',
      'ExecStart=/usr/bin/kubelet',
      '-',
    ],
    ['cni', '/etc/cni/net.d/10-calico.conflist', 'calico-cni'],
    ['link', 'cni0', '10.42.0.1/24'],
    ['chains', 'iptables', '30', 'KUBE-SERVICES KUBE-SVC-X'],
    ['table', 'ip', 'kube-proxy'],
    ['nonsense', 'x'],
  ];

  test('are named with file, owner and how to clean them', () => {
    const problems = leftovers.evaluate(input({ leftovers: 'refuse' }), found);
    expect(problems.map(({ code }) => code)).toEqual(Array(5).fill('LEFTOVERS_FOUND'));
    expect(problems[0]).toMatchObject({
      message: '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf replaces what kubelet.service starts',
      evidence: expect.stringMatching(/line 3: ExecStart=.*of kubeadm.*kubeadm reset/) as string,
    });
    expect(problems[1]!.evidence).toMatch(/of the package calico-cni.*of Calico/);
    expect(problems[2]!.evidence).toMatch(/cni0 \(10\.42\.0\.1\/24\).*of flannel/);
  });

  test('that are cleaned are no problem; what is never cleaned stays one', () => {
    const legacy = ['chains', 'iptables-legacy', '2', 'KUBE-A KUBE-B'];
    const forAll = [
      'dropin',
      'kubelet.service',
      '/etc/systemd/system/service.d/x.conf',
      '1',
      'ExecStart=/bin/true',
      '-',
    ];
    const problems = leftovers.evaluate(input({ leftovers: 'clean' }), [...found, legacy, forAll]);
    expect(problems.map(({ message }) => message)).toEqual([
      '2 chains of another cluster are in iptables-legacy',
      '/etc/systemd/system/service.d/x.conf replaces what kubelet.service starts',
    ]);
    expect(isCleaned(legacy)).toBe(false);
  });
});

test.each([
  ['k3s', '/usr/local/bin/k3s'],
  ['k3s', '/var/lib/rancher/k3s/data/current/bin/containerd'],
  ['RKE2', 'rke2-server.service'],
  ['RKE', '/etc/kubernetes/ssl/kube-ca.pem'],
  ['k0s', '/var/lib/k0s/bin/kubelet'],
  ['MicroK8s', '/snap/microk8s/7394/kubelite'],
  ['kubespray', '/etc/kubernetes/kubelet.env'],
  ['kubeasz', '/etc/kubernetes/ssl/ca.pem'],
  ['kubeadm', '/etc/kubernetes/manifests/kube-apiserver.yaml'],
  ['Calico', 'cali0123456789a'],
  ['Calico', 'vxlan.calico'],
  ['Cilium', 'cilium_host'],
  ['flannel', 'flannel.1'],
  ['kube-proxy', 'KUBE-SERVICES'],
  ['Docker', '/usr/bin/containerd'],
])('%s leaves %s', (name, sign) => {
  expect(toolOf(sign)?.name).toBe(name);
});

test('another cluster is named by its process, unit, runtime, files and data', () => {
  const problems = earlierCluster.evaluate(input(), [
    ['process', 'k3s', '77', '/usr/local/bin/k3s', 'k3s.service'],
    ['unit', 'k0scontroller.service', '/etc/systemd/system/multi-user.target.wants/k0scontroller.service'],
    ['runtime', '80', '/usr/bin/containerd', '/lib/systemd/system/containerd.service', 'containerd.io'],
    ['file', '/etc/kubernetes/manifests/etcd.yaml', '4'],
    ['kubelet', '/var/lib/kubelet', '/var/lib/kubelet/cpu_manager_state', '12'],
    ['registry', '/var/lib/registry/docker', '/var/lib/registry/docker/x', '3'],
  ]);
  expect(new Set(problems.map(({ code }) => code))).toEqual(new Set(['EARLIER_CLUSTER_FOUND']));
  const all = problems.map(({ message, evidence }) => `${message}\n${evidence}`).join('\n');
  for (const words of ['k3s-uninstall.sh', 'k0s reset', 'of the package containerd.io', 'and 3 more', 'storageDir']) {
    expect(all).toContain(words);
  }
});

test('routes into the ranges of the cluster are named, those of all addresses and of pod networks are not', () => {
  const problems = networkOverlap.evaluate(input(), [
    ['10.244.3.0/24', 'dev virbr0 proto kernel scope link src 10.244.3.1'],
    ['10.244.3.1', 'dev virbr0 table local'],
    ['10.96.0.0/12', 'via 10.8.0.1 dev tun0'],
    ['10.244.7.0/24', 'dev cni0 proto kernel'],
    ['0.0.0.0/1', 'via 10.8.0.1 dev tun0'],
    ['192.168.0.0/16', 'dev eth0'],
    ['garbage', ''],
  ]);
  expect(problems.map(({ message }) => message)).toEqual([
    'the route 10.244.3.0/24 on virbr0 overlaps spec.network.podCidr 10.244.0.0/16',
    'the route 10.96.0.0/12 on tun0 overlaps spec.network.serviceCidr 10.96.0.0/16',
  ]);
});

test('links of folders lead to a place that can be used', () => {
  const messages = (...rows: string[][]) => folderLinks.evaluate(input(), rows).map(({ message }) => message);
  expect(
    messages(
      ['link', '/var/lib/kubelet', '/data/kubelet', 'root'],
      ['link', '/var/lib/containerd', '/home/k8s/containerd', 'root'],
      ['link', '/etc/cni', '/etc/other-cni', 'root'],
    ),
  ).toEqual([]);
  expect(
    messages(
      ['nowhere', '/var/lib/kubelet', '/mnt/disk2/kubelet'],
      ['link', '/var/lib/etcd', '/home/etcd', 'root'],
      ['link', '/var/lib/containerd', '/', 'root'],
      ['link', '/etc/kubernetes', '/usr/share/k', 'root'],
      ['link', '/var/log/pods', '/data/pods', 'alice'],
      ['file', '/opt/cni', '/data/x'],
    ),
  ).toEqual([
    '/var/lib/kubelet is a link to /mnt/disk2/kubelet, which is not there: is its disk mounted?',
    '/var/lib/etcd is a link to /home/etcd, which is in /home, which its service does not see (ProtectHome, PrivateTmp)',
    '/var/lib/containerd is a link to /, which is a folder of the system',
    '/etc/kubernetes is a link to /usr/share/k, which is in /usr, a folder of the system',
    '/var/log/pods is a link to /data/pods, which belongs to alice',
    '/opt/cni is a link to /data/x, which is no folder',
  ]);
});
