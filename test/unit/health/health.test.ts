import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { CLUSTER_HEALTH_SCRIPT } from '../../../activities/health/cluster-script.ts';
import { hostHealthScript } from '../../../activities/health/host-script.ts';
import { healthOf } from '../../../activities/health/index.ts';
import { type HealthView, type HostView, shortened, unquoted } from '../../../activities/health/view.ts';
import { kubeletLimits } from '../../../activities/kube/eviction.ts';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { fromPem } from '../../../activities/pki/pem.ts';
import { HEALTH_EVIDENCE, HEALTH_REASONS } from '../../../contracts/health.ts';
import { sampleCluster } from '../../golden/golden.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const DAY = 24 * 3600 * 1000;
const cluster = sampleCluster();
const OBJECTS = ['Deployment/coredns', 'Deployment/metrics-server', 'APIService/v1beta1.metrics.k8s.io'];

const leaf = async (days: number) => {
  const ca = await issueCa('sample', new Date(NOW));
  const request = { authority: 'kubernetes', name: 'x', commonName: 'kube-apiserver', usages: ['server'] } as const;
  // Backdated by five minutes when it is made.
  return (await issueLeaf(ca, request, new Date(NOW), days * DAY + 10 * 60_000)).cert;
};
const der = (cert: string) => Buffer.from(fromPem(cert)).toString('base64');
const GOOD = der(await leaf(300));

/** What a control plane says of the sample cluster when all is well. */
const wellRows = (): string[][] => [
  ['now', '2026-11-30T12:00:00Z'],
  ...cluster.spec.hosts.map(({ name }) => ['node', name, '-']),
  ...cluster.spec.hosts
    .filter(({ roles }) => roles.includes('control-plane'))
    .map(({ name }) => ['readyz', name, 'ok']),
  [
    'etcd',
    'cp-1',
    '{"health":"true","reason":""}',
    '{"dbSize":"1261568","dbSizeInUse":"1261568","dbSizeQuota":"2147483648"}',
  ],
  ['workload', 'Deployment', 'coredns', '2', '2', '2', ''],
  ['workload', 'Deployment', 'metrics-server', '1', '1', '1', ''],
  ['lease', 'kube-controller-manager', '2026-11-30T11:59:59.073227Z', 'cp-1_x'],
  ['lease', 'kube-scheduler', '2026-11-30T11:59:58.641475Z', 'cp-1_y'],
  ['apiservice', 'v1beta1.metrics.k8s.io', 'True', '2026-11-30T01:33:55Z', 'Passed', '"all checks passed"'],
  ['end'],
];

function hostViews(): HostView[] {
  return cluster.spec.hosts.map((host) => ({
    host,
    limits: kubeletLimits(cluster, host),
    rows: [
      ...['nodefs', 'imagefs'].map((use) => [
        'fs',
        use,
        `/var/lib/${use}`,
        '/dev/vda',
        '/',
        '264212084',
        '160217684',
        '16777216',
        '15966454',
      ]),
      ['memory', '20261800', '24684092'],
      ['unit', 'kubelet', 'active'],
      ['cert', '/etc/kubernetes/pki/apiserver.crt', GOOD],
      ['end'],
    ],
  }));
}

async function seen(change: {
  rows?: (rows: string[][]) => string[][];
  host?: (rows: readonly (readonly string[])[]) => string[][];
  view?: Partial<HealthView>;
  quarantined?: { host: string; why: string; since: string }[];
}) {
  const hosts = hostViews();
  const first = hosts[0]!;
  if (change.host) hosts[0] = { ...first, rows: change.host(first.rows!) };
  const rows = change.rows?.(wellRows()) ?? wellRows();
  const view: HealthView = { cluster, out: new Set(), rows, hosts, objects: OBJECTS, now: NOW, ...change.view };
  return healthOf(view, { at: new Date(NOW).toISOString(), operationId: 'op', quarantined: change.quarantined ?? [] });
}
const without = (kind: string, name: string) => (rows: string[][]) =>
  rows.filter((row) => row[0] !== kind || !row.slice(1, 3).includes(name));
const codes = ({ reasons }: Awaited<ReturnType<typeof seen>>) => reasons.map(({ code, subject }) => [code, subject]);

test('nothing wrong is healthy', async () => {
  expect(await seen({})).toMatchObject({ state: 'healthy', reasons: [], reasonCount: 0 });
});

describe('nodes', () => {
  test.each([
    ['DiskPressure', 'True', 'DISK_PRESSURE'],
    ['MemoryPressure', 'True', 'MEMORY_PRESSURE'],
    ['PIDPressure', 'True', 'PID_PRESSURE'],
    ['NetworkUnavailable', 'True', 'NETWORK_UNAVAILABLE'],
    ['Ready', 'Unknown', 'NODE_NOT_READY'],
  ])('the condition %s=%s is a reason with its message and time', async (type, status, code) => {
    const condition = ['condition', 'worker-1', type, status, '2026-11-30T11:51:00Z', 'Why', '"kubelet says\\tso"'];
    const health = await seen({ rows: (rows) => [...rows, condition] });
    expect(health).toMatchObject({
      state: 'degraded',
      reasons: [{ code, subject: 'node worker-1', since: '2026-11-30T11:51:00.000Z' }],
    });
    expect(health.reasons[0]!.evidence).toMatch(new RegExp(`^${type}=${status} Why: kubelet says\tso`));
    const disks = /; nodefs \(\/dev\/vda on \/\): 152\.8 GiB free, 60\.6 %; imagefs/;
    if (type === 'DiskPressure') expect(health.reasons[0]!.evidence).toMatch(disks);
  });

  test('a cordoned node and a missing one are reasons; nodes of others are ignored', async () => {
    const health = await seen({
      rows: (rows) => [
        ...without(
          'node',
          'worker-1',
        )(rows).map((row) => (row[1] === 'cp-1' && row[0] === 'node' ? ['node', 'cp-1', 'cordoned'] : row)),
        ['node', 'stranger', 'cordoned'],
      ],
    });
    expect(codes(health)).toEqual([
      ['NODE_UNSCHEDULABLE', 'node cp-1'],
      ['NODE_MISSING', 'node worker-1'],
    ]);
  });

  test('taints of the spec, of conditions and those that only prefer are no faults; others are', async () => {
    const [host] = cluster.spec.hosts;
    const tainted = {
      ...cluster,
      spec: {
        ...cluster.spec,
        hosts: [
          { ...host!, taints: [{ key: 'own', value: '', effect: 'NoSchedule' as const }] },
          ...cluster.spec.hosts.slice(1),
        ],
      },
    };
    const taint = (...words: string[]) => ['taint', host!.name, ...words, ''];
    const rows = (all: string[][]) => [
      ...all,
      taint('own', '', 'NoSchedule'),
      taint('node.kubernetes.io/unschedulable', '', 'NoSchedule'),
      taint('soft', '', 'PreferNoSchedule'),
      taint('theirs', 'x', 'NoExecute'),
    ];
    const health = await seen({ rows, view: { cluster: tainted } });
    expect(health.reasons).toMatchObject([{ code: 'NODE_TAINTED', evidence: 'theirs=x:NoExecute' }]);
  });
});

describe('workloads', () => {
  const starved = (rows: string[][]) =>
    rows.map((row) => (row[2] === 'coredns' ? ['workload', 'Deployment', 'coredns', '2', '1', '2', ''] : row));

  test('one that lacks pods is reported with the cause, from the end of the newest message', async () => {
    const long = `network: ${'x'.repeat(600)} plugin type="other-cni" failed (add): the culprit`;
    const health = await seen({
      rows: (rows) => [
        ...starved(rows),
        ['pod', 'coredns-96c8fb9d8-a', 'ReplicaSet/coredns-96c8fb9d8', 'Pending', '2026-11-30T11:50:00Z', 'worker-1'],
        ['says', 'coredns-96c8fb9d8-a', 'ContainerCreating', '%!q(<nil>)'],
        ['event', 'coredns-96c8fb9d8-a', 'Older', '"an older one"'],
        ['event', 'coredns-96c8fb9d8-a', 'FailedCreatePodSandBox', JSON.stringify(long)],
        ['pod', 'coredns-other-1', 'ReplicaSet/coredns-other-5f', 'Pending', '2026-11-30T11:50:00Z', ''],
      ],
    });
    expect(health.reasons).toMatchObject([
      { code: 'WORKLOAD_UNAVAILABLE', subject: 'deployment kube-system/coredns', since: '2026-11-30T11:50:00.000Z' },
    ]);
    const { evidence = '' } = health.reasons[0]!;
    expect(evidence).toMatch(
      /^pod coredns-96c8fb9d8-a Pending on worker-1: FailedCreatePodSandBox: .*the culprit; ContainerCreating$/,
    );
    expect(evidence).not.toMatch(/older|coredns-other/);
  });

  test('one whose rollout is stuck while old pods serve is a reason; a missing one too', async () => {
    const pod = ['pod', 'metrics-server-1f-x', 'ReplicaSet/metrics-server-1f', 'Pending', '2026-11-30T11:50:00Z', ''];
    const health = await seen({ rows: (rows) => [...without('workload', 'coredns')(rows), pod] });
    expect(codes(health)).toEqual([
      ['WORKLOAD_MISSING', 'deployment kube-system/coredns'],
      ['WORKLOAD_UNAVAILABLE', 'deployment kube-system/metrics-server'],
    ]);
  });

  test('the metrics API', async () => {
    const rows = (all: string[][]) =>
      all.map((row) =>
        row[0] === 'apiservice'
          ? ['apiservice', row[1]!, 'False', '2026-11-30T11:50:00Z', 'FailedDiscoveryCheck', '"no route to host"']
          : row,
      );
    const health = await seen({ rows });
    expect(health.reasons).toMatchObject([
      { code: 'API_SERVICE_UNAVAILABLE', evidence: 'FailedDiscoveryCheck: no route to host' },
    ]);
  });
});

describe('control planes and etcd', () => {
  test('an API server that is not ready, and a lease that is not renewed', async () => {
    const rows = (all: string[][]) =>
      all.map((row) => {
        if (row[0] === 'readyz' && row[1] === 'cp-1') return ['readyz', 'cp-1', '[-]etcd failed: reason withheld'];
        return row[1] === 'kube-scheduler' ? ['lease', 'kube-scheduler', '2026-11-30T11:58:00Z', 'cp-1_y'] : row;
      });
    const health = await seen({ rows });
    expect(codes(health)).toEqual([
      ['API_SERVER_NOT_READY', 'api server cp-1'],
      ['LEADER_LOST', 'kube-scheduler'],
    ]);
  });

  test('an API that does not answer is one reason, not many missing nodes and workloads', async () => {
    const health = await seen({
      rows: () => [
        ['now', '2026-11-30T12:00:00Z'],
        ['readyz', 'cp-1', 'curl: (7) Failed to connect'],
        ['kubectl', 'failed', 'connection refused'],
        ['end'],
      ],
    });
    expect(codes(health)).toEqual([['API_SERVER_NOT_READY', 'api server cp-1']]);
  });

  test.each([
    ['curl: (28) Connection timed out', 'curl: (28) Connection timed out', 'ETCD_UNHEALTHY', /timed out/],
    ['{"health":"false","reason":"RAFT NO LEADER"}', '{"dbSize":"1"}', 'ETCD_UNHEALTHY', /NO LEADER/],
    [
      '{"health":"false","reason":"ALARM NOSPACE"}',
      '{"dbSize":"1","errors":["memberID:1 alarm:NOSPACE "]}',
      'ETCD_ALARM',
      /NOSPACE/,
    ],
    ['{"health":"true"}', '{"dbSize":"1","errors":["memberID:1 alarm:CORRUPT "]}', 'ETCD_ALARM', /CORRUPT/],
    [
      '{"health":"true"}',
      '{"dbSize":"1800000000","dbSizeInUse":"5000000","dbSizeQuota":"2147483648"}',
      'ETCD_SPACE',
      /in use 5 MiB/,
    ],
  ])('etcd that reports %s', async (well, status, code, evidence) => {
    const health = await seen({
      rows: (rows) => rows.map((row) => (row[0] === 'etcd' ? ['etcd', 'cp-1', well, status] : row)),
    });
    expect(codes(health)).toEqual([[code, 'etcd cp-1']]);
    expect(health.reasons[0]!.evidence).toMatch(evidence);
  });

  test('the disk of etcd is full before its quota is', async () => {
    const health = await seen({
      host: (rows) => [
        ...rows.map((row) => [...row]),
        ['fs', 'etcd', '/var/lib/etcd', '/dev/vdb', '/var/lib/etcd', '4000000', '900000', '0', '0'],
      ],
    });
    expect(health.reasons).toMatchObject([
      { code: 'ETCD_SPACE', evidence: expect.stringMatching(/\/dev\/vdb on \/var\/lib\/etcd/) },
    ]);
  });
});

describe('hosts', () => {
  const changed = (kind: string, row: string[]) => (rows: readonly (readonly string[])[]) =>
    rows.map((each) => (each[0] === kind ? row : [...each]));

  test('a unit that does not run', async () => {
    expect(codes(await seen({ host: changed('unit', ['unit', 'flanneld', 'failed']) }))).toEqual([
      ['UNIT_NOT_RUNNING', 'unit flanneld on cp-1'],
    ]);
  });

  test.each([
    [-3, 'CERTIFICATE_EXPIRED', /expired 3 days ago/],
    [12, 'CERTIFICATE_EXPIRING', /expires in 12 days/],
  ])('a certificate with %i days left', async (days, code, reason) => {
    const path = '/etc/etcd/pki/server.crt';
    const health = await seen({ host: changed('cert', ['cert', path, der(await leaf(days))]) });
    expect(health.reasons).toMatchObject([{ code, subject: `certificate ${path} on cp-1` }]);
    expect(health.reasons[0]!.reason).toMatch(reason);
  });

  test('below an eviction threshold, with file system, what is free, and the threshold', async () => {
    const full = [
      'fs',
      'imagefs',
      '/var/lib/containerd',
      '/dev/vda',
      '/',
      '264212084',
      '26421208',
      '16777216',
      '15966454',
    ];
    const health = await seen({ host: (rows) => rows.map((row) => (row[1] === 'imagefs' ? full : [...row])) });
    expect(codes(health)).toEqual([['DISK_LOW', 'host cp-1']]);
    expect(health.reasons[0]!.reason).toBe(
      'cp-1: imagefs (/dev/vda on /, for /var/lib/containerd): 25.2 GiB of 252.0 GiB free (10.0 %); the kubelet evicts pods below 15 % (37.8 GiB)',
    );
  });

  test('a host that does not answer is a reason, one on which nothing was built yet is none', async () => {
    const [first, second] = hostViews();
    const view = {
      hosts: [
        { ...first!, rows: null, why: 'SSH_UNREACHABLE: no answer' },
        { ...second!, rows: [['unit', 'kubelet', 'inactive'], ['end']] },
      ],
    };
    const health = await seen({ view, rows: without('node', second!.host.name) });
    expect(codes(health)).toEqual([['HOST_UNREACHABLE', `host ${first!.host.name}`]]);
  });
});

test('hosts in quarantine are reasons, and their nodes none of their own', async () => {
  const quarantined = [{ host: 'worker-1', why: 'SSH_UNREACHABLE: gone', since: '2026-11-30T11:00:00Z' }];
  const health = await seen({ quarantined, view: { out: new Set(['worker-1']) }, rows: without('node', 'worker-1') });
  expect(codes(health)).toEqual([['HOST_QUARANTINED', 'host worker-1']]);
});

test('no control plane could be asked, or no cluster is there yet: unknown', async () => {
  expect(await seen({ view: { rows: null } })).toMatchObject({ state: 'unknown' });
  expect(await seen({ rows: () => [['absent'], ['end']] })).toMatchObject({ state: 'unknown', reasons: [] });
});

test('the list is bounded, with the true number of reasons', async () => {
  const taints = Array.from({ length: 80 }, (_, n) => ['taint', 'cp-1', `t${n}`, '', 'NoSchedule', '']);
  const health = await seen({ rows: (rows) => [...rows, ...taints] });
  expect(health.reasons).toHaveLength(HEALTH_REASONS);
  expect(health.reasonCount).toBe(80);
});

test('long texts keep their end; what Go quotes is read back', () => {
  const text = shortened(`begin${'.'.repeat(3000)}end`);
  expect(text).toHaveLength(HEALTH_EVIDENCE);
  expect(text).toMatch(/^begin.*end$/);
  expect(unquoted('"a \\"b\\"\\n"')).toBe('a "b"\n');
  expect(unquoted('"a\\x00b"')).toBe('a\\x00b');
  expect(unquoted('%!q(<nil>)')).toBe('');
});

test('an etcd without a majority comes first, also where no control plane answers', async () => {
  const state = (host: string, ...rest: string[]) => ['etcd-state', host, ...rest];
  const rows: Record<string, string[]> = {
    'cp-1': state(
      'cp-1',
      'active',
      '{"health":"false"}',
      '{"header":{"member_id":"1","revision":"7"},"raftIndex":"9"}',
    ),
    'worker-1': state('worker-1', 'inactive', 'curl: (7) refused', '', '', '6'),
  };
  const hosts = hostViews().map((view) => {
    const row = rows[view.host.name];
    return row ? { ...view, rows: [...view.rows!, row] } : { ...view, rows: null, why: 'SSH_UNREACHABLE: no route' };
  });
  const health = await seen({ view: { hosts, rows: null } });
  expect(health).toMatchObject({
    state: 'degraded',
    reasons: [{ code: 'ETCD_QUORUM_LOST', subject: 'etcd' }, { code: 'HOST_UNREACHABLE' }],
  });
  expect(health.reasons[0]!.evidence).toContain('worker-2: the host cannot be asked: SSH_UNREACHABLE: no route');
  expect(health.reasons[0]!.evidence).toContain('newest data that can be seen: cp-1');
  const well = hosts.map((view) =>
    view.rows
      ? { ...view, rows: [...view.rows.slice(0, -1), state(view.host.name, 'active', '{"health":"true"}')] }
      : view,
  );
  expect((await seen({ view: { hosts: well, rows: null } })).state).toBe('unknown');
});

test.each([CLUSTER_HEALTH_SCRIPT, hostHealthScript()])('scripts are sound shell', (input) => {
  execFileSync('sh', ['-n'], { input });
});
