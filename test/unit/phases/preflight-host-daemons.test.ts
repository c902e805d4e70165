import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RUNC_WRAPPER_SCRIPT } from '../../../activities/phases/docker/scripts.ts';
import type { CheckInput } from '../../../activities/phases/preflight/check.ts';
import earlierCluster from '../../../activities/phases/preflight/checks/earlier-cluster.ts';
import hostDaemons from '../../../activities/phases/preflight/checks/host-daemons.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const input = (phases: Record<string, Record<string, unknown>>) => {
  const cluster = sampleCluster({ phases });
  const host = cluster.spec.hosts[1]!;
  return {
    ...{ cluster, host, requirements: requirementsOf(cluster, host), options: {} as never, facts: sampleFacts },
    ...{ duplicateHost: null, askedAtMs: 0, answeredAtMs: 0 },
  } satisfies CheckInput<never>;
};

describe('daemons of the host that a runtime uses', () => {
  it('are looked at with Docker alone', () => {
    expect(hostDaemons.probe!.args(input({}))).toBeNull();
    const [wanted, others] = hostDaemons.probe!.args(input({ docker: {} }))!;
    expect(wanted).toBe('apparmor docker.io');
    expect(others!.split(' ')).toContain('docker-ce');
    expect(hostDaemons.probe!.args(input({ docker: { packages: 'docker-ce' } }))![1]!.split(' ')).toContain(
      'docker.io',
    );
  });

  it.each<[string[], RegExp, RegExp]>([
    [['package', 'docker-ce'], /docker-ce is installed, and it cannot stand beside apparmor, docker\.io/, /replace it/],
    [['missing', 'docker-ce'], /no repository of the host has the package docker-ce/, /spec\.phases\.docker\.packages/],
    [
      ['unit', 'containerd.service', '/etc/systemd/system/containerd.service', '/usr/local/bin/containerd'],
      /containerd\.service is not that of the package: \/etc\/systemd\/system/,
      /starts \/usr\/local\/bin\/containerd/,
    ],
    [['rival', 'snap.docker.dockerd.service'], /runs in another form/, /same socket/],
    [['used', 'jenkins db', '2'], /Docker runs 2 of others: jenkins db/, /the bridge of Docker/],
  ])('%j is refused by name', (row, message, evidence) => {
    expect(hostDaemons.evaluate(input({ docker: {} }), [row])).toMatchObject([
      { code: 'RUNTIME_CONFLICT', message: expect.stringMatching(message), evidence: expect.stringMatching(evidence) },
    ]);
  });

  it('the containerd of Docker is no leftover where containerd is not ours', () => {
    expect(earlierCluster.probe!.args(input({ docker: {} }))!.at(-1)).toBe('');
    expect(earlierCluster.probe!.args(input({}))!.at(-1)).toBe('yes');
  });
});

describe('runc for hosts without CAP_SYS_RESOURCE', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kubewright-runc-'));
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'wrapper'), RUNC_WRAPPER_SCRIPT);
    writeFileSync(join(folder, 'bin/runc'), '#!/bin/sh\nprintf "%s\\n" "$@"\n');
    for (const name of ['wrapper', 'bin/runc']) chmodSync(join(folder, name), 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const run = (...words: string[]) =>
    execFileSync(join(folder, 'wrapper'), words, {
      encoding: 'utf8',
      env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` },
    }).split('\n');
  const SPEC =
    '{"process":{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE","CAP_KILL"],"effective":["CAP_SYS_RESOURCE","CAP_KILL"],"permitted":["CAP_KILL","CAP_SYS_RESOURCE"]},"oomScoreAdj":-998}}';

  it.each([['--bundle'], ['-b'], ['--bundle=']])('changes the bundle of %s, and passes every word on', (flag) => {
    const file = join(folder, 'config.json');
    writeFileSync(file, SPEC);
    const words = flag.endsWith('=') ? [`${flag}${folder}`] : [flag, folder];
    expect(run('--root', '/run/x y', 'create', ...words, 'id')).toEqual([
      '--root',
      '/run/x y',
      'create',
      ...words,
      'id',
      '',
    ]);
    const { process } = JSON.parse(readFileSync(file, 'utf8')) as { process: Record<string, unknown> };
    expect(process).toEqual({
      capabilities: { bounding: ['CAP_CHOWN', 'CAP_KILL'], effective: ['CAP_KILL'], permitted: ['CAP_KILL'] },
      oomScoreAdj: 0,
    });
  });

  it('changes the process of an exec, and leaves a score that is not negative', () => {
    const file = join(folder, 'process.json');
    writeFileSync(file, '{"capabilities":{"bounding":["CAP_SYS_RESOURCE","CAP_KILL"]},"oomScoreAdj":100}');
    run('exec', '--process', file, 'id');
    expect(readFileSync(file, 'utf8')).toBe('{"capabilities":{"bounding":["CAP_KILL"]},"oomScoreAdj":100}');
    expect(run('state', 'id')).toEqual(['state', 'id', '']);
  });
});
