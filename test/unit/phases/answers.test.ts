import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkCode } from '../../../activities/host/command-error.ts';
import type { ExecOptions, ExecResult, RemoteHost } from '../../../activities/host/types.ts';
import { askKubectl } from '../../../activities/kube/kubectl.ts';
import etcd from '../../../activities/phases/etcd/phase.ts';
import master from '../../../activities/phases/master/phase.ts';
import metrics from '../../../activities/phases/metrics/phase.ts';
import { nodesWithoutMetrics } from '../../../activities/phases/metrics-ready/top.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import registry from '../../../activities/phases/registry/phase.ts';
import removeNode from '../../../activities/phases/remove-node.ts';
import { SMOKE_SCRIPT } from '../../../activities/phases/verify/smoke-script.ts';
import { phaseRun } from '../../../activities/tasks/phase-run.ts';
import { sampleContext } from '../../golden/golden.ts';

/** What hooks, verification and teardown do with a server that cannot answer: their scripts, with programs that play it. */
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-answers-'));
  program('sleep', ':');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** `$n` is the number of this call; `$LOG` has every call. */
function program(name: string, body: string): void {
  writeFileSync(
    join(folder, name),
    `#!/bin/sh\nLOG=${folder}/log\necho "${name} $*" >>"$LOG"\nn=$(grep -c '^${name} ' "$LOG")\n${body}\n`,
  );
  chmodSync(join(folder, name), 0o755);
}
const log = () => readFileSync(join(folder, 'log'), 'utf8').trim().split('\n');
const asked = (what: RegExp) => log().filter((line) => what.test(line)).length;

/** This machine, with our own places in the folder. */
const here = (text: string): string =>
  text.replaceAll('/usr/local/bin', folder).replaceAll('/usr/local/lib/kubewright', folder);
function run(argv: readonly string[], options: ExecOptions, input = ''): Promise<ExecResult> {
  const { status, stdout, stderr } = spawnSync(here(argv[0]!), argv.slice(1).map(here), {
    input: here(input),
    env: { ...options.env, PATH: `${folder}:${process.env['PATH']}` },
    encoding: 'utf8',
  });
  const result = { code: status ?? 255, stdout, stderr, durationMs: 0, truncated: false };
  return Promise.resolve(checkCode('here', argv, result, options.okCodes));
}
const remote: RemoteHost = {
  name: 'here',
  exec: (argv, options = {}) => run(argv, options),
  script: async (text, args = [], options = {}) => run(['sh', '-eu', '-s', '--', ...args], options, text),
  upload: () => Promise.resolve(),
};
async function of(phase: Phase, more: object = {}) {
  const context = await sampleContext(phase, {});
  const signal = new AbortController().signal;
  return {
    ...phaseRun(context, { phase: phase.name, remote, changes: [], verified: false, signal }),
    ...more,
  } as never;
}

const REFUSED = 'The connection to the server 10.0.0.1:6443 was refused';
const AWAY = [
  REFUSED,
  'error: You must be logged in to the server (Unauthorized)',
  'Error from server (Forbidden): nodes is forbidden',
  'Error from server (TooManyRequests): try again later',
  'Unable to connect to the server: net/http: TLS handshake timeout',
];

describe('kubectl get', () => {
  const ask = (retryForMs = 5) =>
    askKubectl({ remote, signal: new AbortController().signal }, ['get', 'secret', 'x', '--ignore-not-found'], {
      retryForMs,
    });

  it.each(AWAY)('asks again: %s', async (words) => {
    program('kubectl', `[ "$n" -gt 1 ] || { echo '${words}' >&2; exit 1; }; echo present`);
    expect((await ask(2_000)).stdout).toBe('present\n');
  });

  it('ends with the cause, and never with "there is none"', async () => {
    program('kubectl', `echo '${REFUSED}' >&2; exit 1`);
    await expect(ask()).rejects.toMatchObject({ code: 'STATE_UNKNOWN', evidence: expect.stringContaining('refused') });
    program('kubectl', ':');
    expect((await ask()).stdout).toBe('');
  });
});

describe('the removal of a node', () => {
  const remove = async () =>
    removeNode.run!(await of(removeNode, { targetHosts: ['w-1'], options: { drainSeconds: 5 } }));

  it.each(AWAY)('is not skipped when the API server cannot answer whether there is one: %s', async (words) => {
    program(
      'kubectl',
      `case "$*" in 'get node w-1 --ignore-not-found -o name') [ "$n" -gt 2 ] || { echo '${words}' >&2; exit 1; }; echo node/w-1 ;;
*jsonpath*) printf True ;; esac`,
    );
    expect(await remove()).toEqual([{ resource: 'node:w-1', action: 'remove', detail: 'drained, removed' }]);
    expect(asked(/^kubectl delete node w-1/)).toBe(1);
  });

  it('is null when there is none, and fails when no answer shows it', async () => {
    program('kubectl', ':');
    expect(await remove()).toEqual([]);
    program('kubectl', `echo '${REFUSED}' >&2; exit 1`);
    await expect(remove()).rejects.toMatchObject({
      code: 'COMMAND_FAILED',
      evidence: expect.stringContaining('refused'),
    });
    expect(asked(/^kubectl delete/)).toBe(0);
  });
});

describe('the smoke test', () => {
  const smoke = () =>
    remote.script(SMOKE_SCRIPT, ['{}', 'smoke', 'http://x/', '2', '', 'w-1', 'w-2'], { okCodes: 'any' });
  const kubectl = (service: string, list: string) =>
    program(
      'kubectl',
      `case "$*" in
*'get apiservice'* | *readyz*) ${service} ;;
*--raw*) echo '{"name":"w-1"}{"name":"w-2"}' ;;
*'status.phase=Running'*) ${list} ;;
*exec*) cat >/dev/null; for w; do case $w in w-*) echo "done $w"; break ;; esac; done ;;
esac`,
    );
  const LIST = 'echo "w-1 smoke-1 10.244.0.2"; echo "w-2 smoke-2 10.244.1.2"';

  it('passes where everything answers', async () => {
    kubectl('echo apiservice', LIST);
    expect((await smoke()).stdout).toBe('end\n');
  });

  it('waits for an API server that is starting', async () => {
    kubectl(`[ "$n" -gt 1 ] || { echo '${REFUSED}' >&2; exit 1; }; echo ok`, LIST);
    expect((await smoke()).stdout).toBe('end\n');
    expect(asked(/readyz/)).toBe(2);
  });

  it('asks for metrics also when the API server could not answer at first', async () => {
    kubectl(`echo '${REFUSED}' >&2; exit 1`, LIST);
    expect(await nodesWithoutMetrics({ remote }, { api: 'metrics.k8s.io/v1beta1', nodes: ['w-1', 'w-2'] })).toEqual([]);
    expect(asked(/--raw/)).toBe(1);
  });

  it('fails when its pods are not listed, or not all of them', async () => {
    kubectl('echo apiservice', `echo '${REFUSED}' >&2; exit 1`);
    expect((await smoke()).stdout).toMatch(/failed\tapi\t.*refused/);
    kubectl('echo apiservice', 'echo "w-1 smoke-1 10.244.0.2"');
    expect((await smoke()).stdout).toContain('failed\tpod\tw-2\tw-2\tno test pod of this node is listed');
  });
});

describe('an etcd member is healthy again', () => {
  /** As many seconds pass as lets a few tries be made. */
  beforeEach(() => {
    program('date', 'echo $((n * 20))');
    program('etcdctl', ':');
    program('systemctl', 'echo ActiveState=active; echo Job=');
    program('curl', 'exit 56');
  });
  const status = (own: string, leader: string) =>
    program(
      'curl',
      `case "$*" in
*://10.20.0.11:*maintenance/status*) echo '{"header":{"member_id":"1"},"leader":"2","raftAppliedIndex":"${own}"}' ;;
*maintenance/status*) echo '{"header":{"member_id":"2"},"leader":"2","raftAppliedIndex":"${leader}"}' ;;
*) exit 56 ;;
esac`,
    );
  const verify = async () => etcd.verify!(await of(etcd));

  it('when it has applied what the leader had', async () => {
    status('100', '100');
    await verify();
    status('99', '100');
    await expect(verify()).rejects.toMatchObject({
      code: 'ETCD_UNHEALTHY',
      evidence: expect.stringContaining('it has applied 99 of its log, the leader 100') as unknown,
    });
  });

  it.each([
    ['while systemd still stops the one before', 'echo ActiveState=deactivating; echo Job=12'],
    ['while its restart is only planned', 'echo ActiveState=active; echo Job=12'],
  ])('not %s, which may still answer', async (_when, says) => {
    status('100', '100');
    program('systemctl', says);
    await expect(verify()).rejects.toMatchObject({
      code: 'ETCD_UNHEALTHY',
      evidence: expect.stringContaining('Job=12') as unknown,
    });
    expect(asked(/^etcdctl/)).toBe(0);
  });
});

describe('"refuses clients without a certificate" needs an answer of the server', () => {
  const answers = (code: number, then: number) =>
    program(
      'curl',
      `case "$*" in
*maintenance/status*) echo '{"header":{"member_id":"1"},"leader":"1","raftAppliedIndex":"5"}' ;;
*--cert*) printf 200 ;;
*) [ "$(grep '^curl ' "$LOG" | grep -vc -e --cert)" -gt 2 ] && exit ${then}; exit ${code} ;;
esac`,
    );

  it.each([
    ['etcd', etcd],
    ['registry', registry],
  ] as const)('%s: silence, a refused connection and a timeout are asked again', async (_name, phase) => {
    program('etcdctl', ':');
    program('systemctl', 'echo ActiveState=active; echo Job=');
    for (const unreachable of [6, 7, 28, 52]) {
      answers(unreachable, 56);
      rmSync(join(folder, 'log'), { force: true });
      await phase.verify!(await of(phase));
      expect(asked(/^curl/)).toBeGreaterThan(2);
      answers(unreachable, unreachable);
      await expect(phase.verify!(await of(phase))).rejects.toMatchObject({
        code: phase === etcd ? 'ETCD_UNHEALTHY' : 'VERIFY_FAILED',
      });
    }
    answers(0, 0);
    await expect(phase.verify!(await of(phase))).rejects.toThrow();
  });

  it('the API server: 000, 429 and 5xx are asked again', async () => {
    program('wait-url', ':');
    program('journalctl', ':');
    // Which certificate it serves does not show: it has TLS 1.3 only.
    program('timeout', "printf 'open 15030300020246'");
    for (const status of ['000', '429', '503']) {
      rmSync(join(folder, 'log'), { force: true });
      program('curl', `[ "$n" -gt 2 ] && printf 401 || printf ${status}`);
      await master.verify!(await of(master));
      program('curl', `printf ${status}`);
      await expect(master.verify!(await of(master))).rejects.toMatchObject({ code: 'APISERVER_NOT_READY' });
    }
    program('curl', 'printf 200');
    await expect(master.verify!(await of(master))).rejects.toMatchObject({
      evidence: expect.stringContaining('answers 200 to a client without a certificate'),
    });
  });
});

it.each(AWAY)('a rollout is asked for again: %s', async (words) => {
  program('kubectl', `case "$*" in *rollout*|wait*) [ "$n" -gt 2 ] || { echo '${words}' >&2; exit 1; } ;; esac`);
  await metrics.verify!(await of(metrics));
  expect(asked(/rollout/)).toBe(3);
});
