import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RemoteHost } from '../../../activities/host/types.ts';
import chrony from '../../../activities/phases/chrony/phase.ts';
import type { Phase, PhaseRun } from '../../../activities/phases/phase.ts';
import { distrustCluster } from '../../../activities/phases/prepare/firewalld.ts';
import imageRegistry from '../../../activities/phases/registry/phase.ts';
import runtime from '../../../activities/phases/runtime/phase.ts';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { undo } from '../../../activities/resources/engine/undo.ts';
import type { FirewallNeeds } from '../../../activities/resources/firewall-needs.ts';
import { firewalldRules } from '../../../activities/resources/firewalld-rules.ts';
import { readLedger } from '../../../activities/resources/ledger.ts';
import { LEDGER } from '../../../activities/resources/paths.ts';
import { phaseRun } from '../../../activities/tasks/phase-run.ts';
import { sampleContext } from '../../golden/golden.ts';
import { FACTS, LocalHost } from '../resources/support/local-host.ts';

/** Phases' own scripts with this machine's sh; stand-ins for the programs that they call come first in PATH. */
let bin: string;
beforeEach(async () => {
  bin = await mkdtemp(join(tmpdir(), 'kubewright-scripts-'));
});
afterEach(() => rm(bin, { recursive: true, force: true }));

async function program(name: string, body: string): Promise<void> {
  await writeFile(join(bin, name), `#!/bin/sh\nLOG=${bin}/log\n${body}\n`);
  await chmod(join(bin, name), 0o755);
}

function local(): RemoteHost {
  const run = (file: string, args: readonly string[], stdin = '') =>
    new Promise<Awaited<ReturnType<RemoteHost['exec']>>>((resolve) => {
      const env = { ...process.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
      const child = execFile(file, args, { env }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr, durationMs: 1, truncated: false }),
      );
      // A script that ends early leaves its rest unread.
      child.stdin?.on('error', () => {}).end(stdin);
    });
  return {
    name: 'local',
    exec: ([file = '', ...args]) => run(file, args),
    script: (text, args = []) => run('sh', ['-eu', '-s', '--', ...args], text),
    upload: () => Promise.reject(new Error('not used')),
  };
}

async function runOf(phase: Phase, host?: string): Promise<PhaseRun<never>> {
  const context = await sampleContext(phase, { host });
  const more = {
    phase: phase.name,
    remote: local(),
    changes: [],
    verified: false,
    signal: new AbortController().signal,
  };
  return phaseRun(context, more) as PhaseRun<never>;
}

test('a client waits for a selected source, a time server only for its daemon', async () => {
  // Selected at the third question.
  await program('sleep', ':');
  await program(
    'chronyc',
    `echo x >>$LOG; [ "$(wc -l <$LOG)" -lt 3 ] && echo '^,?,10.20.0.11,0' || echo '^,*,10.20.0.11,10'`,
  );
  await chrony.verify?.(await runOf(chrony, 'worker-1'));
  expect((await readFile(join(bin, 'log'), 'utf8')).split('\n')).toHaveLength(4);

  await program('chronyc', ':');
  await chrony.verify?.(await runOf(chrony, 'cp-1'));

  await program('chronyc', `echo '^,?,10.20.0.11,0,6,0'`);
  const failure = chrony.verify?.(await runOf(chrony, 'worker-1'));
  await expect(failure).rejects.toMatchObject({
    code: 'TIME_UNSYNCHRONIZED',
    evidence: expect.stringContaining('10.20.0.11,0'),
  });
});

test('the registry answers clients with a certificate, and no others', async () => {
  await program('sleep', ':');
  await program('journalctl', 'echo journal');
  await program('curl', `case "$*" in *--cert*) printf 200 ;; *) exit 56 ;; esac`);
  await imageRegistry.verify?.(await runOf(imageRegistry));

  await program('curl', `case "$*" in *--cert*) printf 200 ;; esac`);
  const open = imageRegistry.verify?.(await runOf(imageRegistry));
  await expect(open).rejects.toMatchObject({ message: 'the registry answers clients without a certificate' });

  await program('curl', 'echo "curl: (7) refused" >&2; exit 7');
  const dead = imageRegistry.verify?.(await runOf(imageRegistry));
  await expect(dead).rejects.toMatchObject({ code: 'VERIFY_FAILED', evidence: 'journal\n' });
});

test('containerd counts only with its CRI plugin', async () => {
  await program('sleep', ':');
  await program('journalctl', 'echo journal');
  await program(
    'ctr',
    `echo 'io.containerd.grpc.v1                     cri                      -              ok        '`,
  );
  await runtime.verify?.(await runOf(runtime));

  await program(
    'ctr',
    `echo 'io.containerd.grpc.v1                     cri                      -              error     '`,
  );
  await expect(runtime.verify?.(await runOf(runtime))).rejects.toMatchObject({
    code: 'VERIFY_FAILED',
    evidence: expect.stringMatching(/cri .* error[^]*journal/),
  });
});

test('firewalld: only missing rules are added, for good and at once; those that we added are taken out again', async () => {
  const host = new LocalHost();
  const rule = (source: string, port: number) =>
    `rule family="ipv4" source address="${source}" port port="${port}" protocol="tcp" accept`;
  host.program('systemctl', 'exit 0');
  host.program(
    'firewall-cmd',
    `case "$*" in
      --state) exit 0 ;;
      --get-zone-of-interface=*) exit 1 ;;
      --get-default-zone) echo public ;;
      *--list-rich-rules) echo '${rule('10.0.0.3', 6443)}' ;;
      *--list-sources) echo 192.0.2.0/24 ;;
      *) for word; do printf '%s|' "$word"; done >>$LOG; echo >>$LOG ;;
    esac`,
  );
  const needs = {
    openings: [{ protocol: 'tcp', port: 6443, what: 'kube-apiserver', sources: ['10.0.0.2', '10.0.0.3'] }],
    passages: [
      { from: '10.244.0.0/16', to: null, inside: true },
      { from: '203.0.113.0/24', to: '10.244.0.0/16', inside: false },
    ],
  } satisfies FirewallNeeds;
  const { changes } = await converge({
    remote: host,
    resources: [firewalldRules(needs, '10.0.0.1')],
    facts: FACTS,
    mode: 'apply',
    phase: 'prepare',
    signal: new AbortController().signal,
  });
  expect(changes[0]?.detail).toBe('public/10.0.0.2 6443/tcp; trusted/10.244.0.0/16');
  const added = [
    `--quiet|--permanent|--zone=public|--add-rich-rule=${rule('10.0.0.2', 6443)}|`,
    `--quiet|--zone=public|--add-rich-rule=${rule('10.0.0.2', 6443)}|`,
    '--quiet|--permanent|--zone=trusted|--add-source=10.244.0.0/16|',
    '--quiet|--zone=trusted|--add-source=10.244.0.0/16|',
  ];
  const log = () => readFile(host.path('log'), 'utf8').then((text) => text.trim().split('\n'));
  expect(await log()).toEqual(added);
  const entries = (await readLedger(host)).entries.filter(({ kind }) => kind === 'firewalld-rules');
  expect(entries.map(({ id }) => id)).toEqual(['public/10.0.0.2 6443/tcp', 'trusted/10.244.0.0/16']);
  await undo(host, entries, { stage: 'middle', facts: FACTS });
  const removed = added.map((line) => line.replace('--add-', '--remove-'));
  expect((await log()).slice(4).sort()).toEqual(removed.sort());
  host.dispose();
});

test('firewalld: only sources that we added are taken out again', async () => {
  const host = new LocalHost();
  host.program(
    'firewall-cmd',
    `case "$*" in
      --state) exit 0 ;;
      *--query-source=10.20.0.13) exit 1 ;;
      *--query-source=*) exit 0 ;;
      *) echo "$*" >>$LOG ;;
    esac`,
  );
  mkdirSync(host.path('state/kubewright/ledger'), { recursive: true });
  writeFileSync(host.local(LEDGER), 'witness:firewalld-trusted\tprepare\t{}\n');
  // 10.20.0.11 was trusted before us, and 10.20.0.13 is no longer.
  const run = { ...(await runOf(chrony)), remote: host, baselineOf: () => '10.20.0.11 192.0.2.0/24\n' };
  const changes = await distrustCluster(run);
  expect(changes.map((change) => change.detail)).toEqual(
    ['10.244.0.0/16', '10.20.0.12'].map((each) => `no longer trusts ${each}`),
  );
  expect((await readFile(host.path('log'), 'utf8')).split('\n').slice(0, 2)).toEqual([
    '--quiet --permanent --zone=trusted --remove-source=10.244.0.0/16',
    '--quiet --zone=trusted --remove-source=10.244.0.0/16',
  ]);
  host.dispose();
});
