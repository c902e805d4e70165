import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { waitForDeployments } from '../../../activities/kube/rollout.ts';
import type { PhaseRun } from '../../../activities/phases/phase.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-rollout-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A run on this machine with a kubectl that says the given things of the rollout, one after the other. */
function running(...answers: string[]) {
  const log = join(folder, 'log');
  writeFileSync(log, '');
  writeFileSync(join(folder, 'answers'), answers.join('\n'));
  const kubectl = join(folder, 'kubectl');
  writeFileSync(
    kubectl,
    `#!/bin/sh
echo "$*" >>${log}
case $* in *rollout*) ;; *) echo "$*"; exit 0 ;; esac
answer=$(sed -n "$(grep -c rollout ${log})p" ${join(folder, 'answers')})
[ "$answer" != ok ] || exit 0
echo "$answer" >&2
exit 1
`,
  );
  chmodSync(kubectl, 0o755);
  const script = (text: string, args: readonly string[]) => {
    const PATH = `${folder}:${process.env['PATH']}`;
    const { status, stdout } = spawnSync('sh', ['-eu', '-s', '--', ...args], { input: text, env: { PATH } });
    return Promise.resolve({ code: status, stdout: stdout.toString() });
  };
  const fail = vi.fn((code: string, message: string, evidence: string) => {
    throw new Error(`${code}: ${message}\n${evidence}`);
  });
  const run = { remote: { script }, fail } as unknown as PhaseRun<unknown>;
  const asked = () =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.includes('rollout'));
  return { run, asked };
}

const LATE = 'error: timed out waiting for the condition';

test('a rollout is waited for in pieces that a pause can end between', async () => {
  const { run, asked } = running(LATE, LATE, 'ok');
  await waitForDeployments(run, ['coredns'], 60_000);
  expect(asked()).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/deployment\/coredns --timeout 15s$/)));
});

test('the last part of the script reports the cause', async () => {
  const { run, asked } = running(LATE);
  await expect(waitForDeployments(run, ['coredns'], 5_000)).rejects.toThrow(
    /WORKLOAD_NOT_READY: coredns did not become ready\nerror: timed out.*\n.*get pods/,
  );
  expect(asked()).toEqual([expect.stringMatching(/--timeout 5s$/)]);
});

test('errors that waiting does not solve are thrown at once', async () => {
  const { run, asked } = running('error: deployment "coredns" exceeded its progress deadline');
  await expect(waitForDeployments(run, ['coredns'], 60_000)).rejects.toThrow(/exceeded its progress deadline/);
  expect(asked()).toHaveLength(1);
});
