import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CHOOSE_RESOLV_CONF, RESOLV_CONFS } from '../../../activities/kube/resolv-conf.ts';
import resolvConf from '../../../activities/phases/preflight/checks/resolv-conf.ts';
import { type GoldenCase, requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const FILE = 'file /etc/resolv.conf /etc/resolv.conf';

function problems(rows: readonly string[], sample: Omit<GoldenCase, 'name'> = {}) {
  const cluster = sampleCluster(sample);
  const host = cluster.spec.hosts[0]!;
  const input = {
    cluster,
    host,
    requirements: requirementsOf(cluster, host),
    options: {} as never,
    facts: sampleFacts,
    duplicateHost: null,
    askedAtMs: 0,
    answeredAtMs: 0,
  };
  return resolvConf.evaluate(
    input,
    rows.map((row) => row.split(' ')),
  );
}

test.each([
  ['a server on loopback', [FILE, 'nameserver 3 127.0.0.1'], /\/etc\/resolv\.conf, line 3: nameserver 127\.0\.0\.1/],
  [
    'one of them on loopback',
    [FILE, 'nameserver 1 10.0.0.2', 'nameserver 2 127.0.0.53'],
    /line 2: nameserver 127\.0\.0\.53/,
  ],
  ['loopback of IPv6', [FILE, 'nameserver 1 ::1'], /nameserver ::1/],
  ['cluster DNS itself', [FILE, 'nameserver 1 10.0.0.2', 'nameserver 2 10.96.0.10'], /nameserver 10\.96\.0\.10/],
  ['a service', [FILE, 'nameserver 1 10.96.4.4'], /nameserver 10\.96\.4\.4/],
  ['a pod', [FILE, 'nameserver 1 10.244.0.9'], /nameserver 10\.244\.0\.9/],
  ['IPv6 alone', [FILE, 'nameserver 1 fe80::1%eth0'], /fe80::1%eth0/],
  ['no server', [FILE], /no line with nameserver/],
  [
    'a broken link',
    ['missing /etc/resolv.conf ../run/x/stub.conf'],
    /a link to \.\.\/run\/x\/stub\.conf, which is not there/,
  ],
  ['no file', ['missing /etc/resolv.conf'], /no such file/],
  ['the host itself, silent', [FILE, 'nameserver 1 10.20.0.11', 'listens 127.0.0.1'], /10\.20\.0\.11/],
  [
    'a link',
    ['file /etc/resolv.conf /run/r.conf', 'nameserver 1 127.0.0.1'],
    /\/etc\/resolv\.conf \(\/run\/r\.conf\), line 1/,
  ],
])('%s is named', (_what, rows, evidence) => {
  expect(problems(rows)).toEqual([
    expect.objectContaining({ code: 'RESOLV_CONF_UNUSABLE', evidence: expect.stringMatching(evidence) as string }),
  ]);
});

test.each([
  ['more servers than resolvers take', [FILE, ...['2', '3', '4', '5'].map((n) => `nameserver 1 10.0.0.${n}`)]],
  ['a server of each kind', [FILE, 'nameserver 1 2001:db8::1', 'nameserver 2 10.0.0.2']],
  ['a server on the host that listens', [FILE, 'nameserver 1 10.20.0.11', 'listens 10.20.0.11']],
  ['a server on the host that listens everywhere', [FILE, 'nameserver 1 10.20.0.11', 'listens 0.0.0.0']],
])('%s is no problem', (_what, rows) => expect(problems(rows)).toEqual([]));

test('with servers of its own, cluster DNS does not need those of the host', () => {
  const rows = [FILE, 'nameserver 1 127.0.0.1'];
  expect(problems(rows, { phases: { dns: { upstream: ['10.0.0.2'] } } })).toEqual([]);
  expect(problems(rows, { phases: { dns: { upstream: 'none' } } })).toEqual([]);
  expect(problems(rows, { phases: { dns: { upstream: ['10.0.0.2', '127.0.0.53'] } } })).toEqual([
    expect.objectContaining({ evidence: 'spec.phases.dns.upstream: 127.0.0.53' }),
  ]);
});

test('the kubelet is given the file behind a local resolver', () => {
  const root = mkdtempSync(join(tmpdir(), 'kubewright-resolv-'));
  const at = (index: number) => join(root, `${index}.conf`);
  const script = RESOLV_CONFS.reduce((text, path, index) => text.replace(path, at(index)), CHOOSE_RESOLV_CONF);
  const chosen = () => spawnSync('sh', ['-euc', `${script}\nprintf %s "$chosen"`], { encoding: 'utf8' }).stdout;
  try {
    expect(chosen()).toBe('');
    symlinkSync(join(root, 'gone'), at(0));
    expect(chosen()).toBe('');
    rmSync(at(0));
    writeFileSync(at(0), 'options edns0\n\tnameserver 127.0.0.53\nsearch a b\n');
    expect(chosen()).toBe(at(0));
    // What systemd-resolved has when it knows no server.
    writeFileSync(at(1), '# No DNS servers known.\n');
    writeFileSync(at(3), 'nameserver 10.0.0.2\n');
    expect(chosen()).toBe(at(3));
    writeFileSync(at(1), 'nameserver 10.0.0.1\n');
    expect(chosen()).toBe(at(1));
    writeFileSync(at(0), 'nameserver 10.0.0.3\n');
    expect(chosen()).toBe(at(0));
  } finally {
    rmSync(root, { recursive: true });
  }
});
