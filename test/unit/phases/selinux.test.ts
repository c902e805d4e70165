import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseFacts } from '../../../activities/host/facts.ts';
import type { HostFacts } from '../../../activities/host/types.ts';
import type { CheckInput } from '../../../activities/phases/preflight/check.ts';
import { scanChecks } from '../../../activities/phases/preflight/checks.ts';
import { evaluate, probeScript, readAnswers } from '../../../activities/phases/preflight/probe.ts';
import type { PhaseRequirements } from '../../../activities/phases/requires.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const checks = (await scanChecks()).filter(({ name }) => name === 'selinux');
const cluster = sampleCluster();
const host = cluster.spec.hosts[0]!;
const RHEL: Partial<HostFacts> = {
  packageManager: 'dnf',
  os: { id: 'rocky', idLike: ['rhel'], versionId: '9.6', name: 'Rocky Linux 9.6' },
};

/** As sestatus of policycoreutils 3.6 prints it. */
const status = (mode: string, policy = 'targeted') => `SELinux status:                 enabled
SELinuxfs mount:                /sys/fs/selinux
SELinux root directory:         /etc/selinux
Loaded policy name:             ${policy}
Current mode:                   ${mode}
Mode from config file:          ${mode}
Policy MLS status:              enabled
Policy deny_unknown status:     allowed
Memory protection checking:     actual (secure)
Max kernel policy version:      33
`;

let bin: string;
beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'selinux-'));
});
afterEach(() => rmSync(bin, { recursive: true }));

/** Programs of a host that has SELinux; `sestatus` prints this text. */
function fake(text: string, programs = ['getsebool', 'setsebool', 'restorecon']): void {
  for (const name of [...programs, 'sestatus']) {
    writeFileSync(join(bin, name), `#!/bin/sh\ncat <<'EOF'\n${name === 'sestatus' ? text : ''}EOF\n`);
    chmodSync(join(bin, name), 0o755);
  }
}

function problems(facts: Partial<HostFacts>, requirements: PhaseRequirements[] = requirementsOf(cluster, host)) {
  const of = { cluster, host, requirements, options: {} as never };
  const { text, args } = probeScript(checks, of);
  const path = `${bin}:/usr/bin:/bin`;
  const ran = spawnSync('sh', ['-eu', '-s', '--', ...args], { input: text, encoding: 'utf8', env: { PATH: path } });
  expect(ran.stderr).toBe('');
  const input: CheckInput = {
    ...of,
    facts: { ...sampleFacts, ...facts },
    duplicateHost: null,
    askedAtMs: 0,
    answeredAtMs: 0,
  };
  return evaluate(checks, input, readAnswers(ran.stdout));
}

describe('SELinux', () => {
  it.each(['enforcing', 'permissive'])('that is %s stays so, on a system with policies for containers', (mode) => {
    fake(status(mode));
    expect(problems(RHEL)).toEqual([]);
  });

  it('that is off is no matter', () => {
    expect(problems(RHEL)).toEqual([]);
    fake('SELinux status:                 disabled\n', []);
    expect(problems(RHEL)).toEqual([]);
  });

  it('with another policy is refused, with its name', () => {
    fake(status('enforcing', 'mls'));
    expect(problems(RHEL)).toMatchObject([
      {
        code: 'SELINUX_UNSUPPORTED',
        message: expect.stringContaining('policy mls'),
        evidence: expect.stringContaining('Loaded policy name mls'),
      },
    ]);
  });

  it('that is enforcing on a system without policies for containers is refused on nodes', () => {
    fake(status('enforcing'));
    expect(problems({})).toMatchObject([
      { message: expect.stringMatching(/no policy for containers \(container-selinux\)/) },
    ]);
    expect(problems({}, [])).toEqual([]);
    fake(status('permissive'));
    expect(problems({})).toEqual([]);
  });

  it('without the programs that set booleans and labels is refused', () => {
    fake(status('enforcing'), ['getsebool']);
    expect(problems(RHEL)).toMatchObject([{ message: expect.stringContaining('missing: setsebool, restorecon') }]);
  });

  it('is a fact of the host', () => {
    expect(parseFacts('selinux=1\n')).toMatchObject({ selinux: 'enforcing' });
    expect(parseFacts('selinux=0\n')).toMatchObject({ selinux: 'permissive' });
    expect(parseFacts('arch=x86_64\n')).not.toHaveProperty('selinux');
  });
});

describe('the runtime of a cluster', () => {
  const requiredOf = (options: Record<string, Record<string, unknown>>) => {
    const docker = sampleCluster({ phases: options });
    return requirementsOf(docker, docker.spec.hosts[0]!).flatMap(({ phase, selinux }) =>
      ['runtime', 'docker'].includes(phase) && selinux ? [{ phase, ...selinux }] : [],
    );
  };

  it('requires the policies for containers, whichever it is, and labels for its folder elsewhere', () => {
    const policies = ['container-selinux'];
    expect(requiredOf({})).toEqual([{ phase: 'runtime', policies, folders: [] }]);
    expect(requiredOf({ docker: {} })).toEqual([{ phase: 'docker', policies, folders: [] }]);
    expect(requiredOf({ docker: { dataRoot: '/srv/docker' } })).toEqual([
      { phase: 'docker', policies, folders: [{ path: '/srv/docker', like: '/var/lib/docker' }] },
    ]);
  });
});
