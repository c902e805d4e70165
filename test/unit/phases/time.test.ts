import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import time from '../../../activities/health/checks/time.ts';
import type { HostView } from '../../../activities/health/view.ts';
import { enabledProvidersOf } from '../../../activities/phases/capabilities.ts';
import chrony from '../../../activities/phases/chrony/phase.ts';
import ntpsec from '../../../activities/phases/ntpsec/phase.ts';
import { phaseOptions } from '../../../activities/phases/options.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import timeDaemons from '../../../activities/phases/preflight/checks/time-daemons.ts';
import timesyncd from '../../../activities/phases/systemd-timesyncd/phase.ts';
import { requirementsOf, sampleCluster } from '../../golden/golden.ts';

const phases = await loadPhases();
const withoutRole = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd'] },
  { name: 'worker-1', address: '10.20.0.12', roles: ['worker'] },
];

describe('the provider', () => {
  const provider = (chosen: Record<string, Record<string, unknown>>) =>
    enabledProvidersOf(sampleCluster({ phases: chosen, hosts: withoutRole }), 'time-synchronization', phases).map(
      ({ name }) => name,
    );
  it('is chrony unless another one is named; there may be none', () => {
    expect(provider({})).toEqual(['chrony']);
    expect(provider({ chrony: { provider: 'none' } })).toEqual([]);
    expect(provider({ chrony: { enabled: false } })).toEqual([]);
    expect(provider({ ntpsec: {} })).toEqual(['ntpsec']);
    expect(provider({ 'systemd-timesyncd': {} })).toEqual(['systemd-timesyncd']);
    expect(provider({ chrony: { provider: 'none' }, ntpsec: {} })).toEqual(['ntpsec']);
  });
  it('of earlier specs has the options that it had', () => {
    expect(phaseOptions(sampleCluster(), chrony)).toEqual({ provider: 'chrony', pool: ['pool.ntp.org'] });
  });
  it('alone opens the port of NTP; without one, whatever serves in its place', () => {
    const ports = (chosen: Record<string, Record<string, unknown>>) => {
      const cluster = sampleCluster({ phases: chosen });
      return requirementsOf(cluster, cluster.spec.hosts[0]!).flatMap(({ phase, ports: all = [] }) =>
        all.filter(({ port }) => port === 123).map(({ what }) => `${phase} ${what}`),
      );
    };
    expect(ports({})).toEqual(['chrony chronyd']);
    expect(ports({ chrony: { provider: 'none' } })).toEqual(['chrony chronyd']);
    expect(ports({ ntpsec: {} })).toEqual(['ntpsec ntpd']);
  });
});

describe('what a daemon says', () => {
  let bin = '';
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), 'kubewright-time-'));
  });
  afterEach(() => rmSync(bin, { recursive: true, force: true }));

  function row(phase: Phase, program: string, output: string, exit = 0): string {
    const path = join(bin, program);
    writeFileSync(path, `#!/bin/sh\ncat <<'EOF'\n${output}\nEOF\nexit ${exit}\n`);
    chmodSync(path, 0o755);
    const cluster = sampleCluster({ phases: { [phase.name]: {} }, hosts: withoutRole });
    const host = cluster.spec.hosts[0]!;
    const { text, args } = phase.healthProbe!({ cluster, host, options: phaseOptions(cluster, phase, host) }).script!;
    const say = `say() { (IFS='\t'; printf '%s\\n' "$*"); }`;
    const env = { PATH: `${bin}:${process.env['PATH']}`, LC_ALL: 'C' };
    return execFileSync('sh', ['-s', '--', ...args], { input: `${say}\n${text}`, env, encoding: 'utf8' }).trim();
  }

  test('chronyd: the selected source, in ms', () => {
    const sources = '^,-,10.0.0.1,2,6,377,31,0.5,0.5,0.01\n^,*,10.0.0.2,2,6,377,31,-0.000123456,0.000001,0.01';
    expect(row(chrony, 'chronyc', sources)).toBe('time\tfree\t500\t-0.123\t10.0.0.2');
    expect(row(chrony, 'chronyc', '^,?,10.0.0.1,0,6,0,-,0,0,0')).toBe('time\tfree\t500');
    expect(row(chrony, 'chronyc', '506 Cannot talk to daemon', 1)).toBe('');
  });
  test('ntpd: the line with an asterisk', () => {
    const head = `     remote           refid      st t when poll reach   delay   offset   jitter\n${'='.repeat(79)}`;
    const peers = `${head}\n ntp.test        .POOL.          16 p    -  256    0   0.0000   0.0000   0.0001\n*10.87.1.11      127.0.0.1       10 u    -    8    1   0.0766  -1.5155   0.0072`;
    expect(row(ntpsec, 'ntpq', peers)).toBe('time\tfree\t500\t-1.5155\t10.87.1.11');
    expect(row(ntpsec, 'ntpq', head)).toBe('time\tfree\t500');
    expect(row(ntpsec, 'ntpq', 'ntpq: read: Connection refused')).toBe('');
  });
  test('timesyncd: units of all sizes', () => {
    const status = (offset: string) =>
      `       Server: 10.87.1.11 (ntp.test)\n         Leap: normal\n       Offset: ${offset}\n        Delay: 70us`;
    expect(row(timesyncd, 'timedatectl', status('+24us'))).toBe('time\tfree\t500\t0.024\t10.87.1.11');
    expect(row(timesyncd, 'timedatectl', status('-1.234ms'))).toBe('time\tfree\t500\t-1.234\t10.87.1.11');
    expect(row(timesyncd, 'timedatectl', status('-1min 2.5s'))).toBe('time\tfree\t500\t-62500.000\t10.87.1.11');
    expect(row(timesyncd, 'timedatectl', '       Server: n/a\n Packet count: 0')).toBe('time\tfree\t500');
  });
});

describe('the health of clocks', () => {
  const view = (rows: Record<string, string[] | null>) => {
    const cluster = sampleCluster();
    const hosts = cluster.spec.hosts.map((host): HostView => {
      const words = rows[host.name];
      return { host, rows: words ? [['time', ...words]] : [], limits: {} as never };
    });
    return time.reasonsOf({ cluster, out: new Set(), rows: null, hosts, objects: [], now: 0 });
  };
  const near = ['followed', '500', '0.2', '10.20.0.11'];
  it('names a clock that is far, and one that follows nothing', () => {
    expect(view({ 'cp-1': ['free', '500'], 'worker-1': near })).toEqual([]);
    expect(view({ 'worker-1': ['followed', '500', '-620.5', '10.20.0.11'] })).toMatchObject([
      {
        code: 'TIME_OFFSET',
        reason: 'the clock of worker-1 is -620.5 ms away from 10.20.0.11',
        evidence: 'allowed: 500 ms',
      },
    ]);
    expect(view({ 'worker-1': near, 'worker-2': ['followed', '500'] })).toMatchObject([
      { code: 'TIME_UNSYNCHRONIZED', subject: 'clock of worker-2' },
    ]);
  });
  it('compares the hosts with one another', () => {
    const far = (offset: string) => ['free', '500', offset, '10.1.0.1'];
    expect(view({ 'worker-1': far('-300'), 'worker-2': far('300') })).toMatchObject([
      { code: 'TIME_OFFSET', reason: 'the clocks of worker-1 and worker-2 are 600.000 ms apart' },
    ]);
  });
});

test('preflight names a daemon of the user, not the one of the spec', () => {
  const cluster = sampleCluster({ phases: { ntpsec: {} } });
  const host = cluster.spec.hosts[0]!;
  const input = { cluster, host, requirements: requirementsOf(cluster, host), options: {} };
  const rivals = timeDaemons.probe!.args(input as never);
  expect(rivals).toContain('chronyd');
  expect(rivals).not.toContain('ntpsec');
  expect(timeDaemons.evaluate(input as never, [['chrony.service'], ['ntpsec.service']])).toMatchObject([
    { code: 'TIME_DAEMON_RUNNING', message: expect.stringContaining('chrony.service runs on the host') },
  ]);
  const none = sampleCluster({ phases: { chrony: { provider: 'none' } } });
  const off = { ...input, cluster: none, requirements: requirementsOf(none, none.spec.hosts[0]!) };
  expect(timeDaemons.probe!.args(off as never)).toBeNull();
});
