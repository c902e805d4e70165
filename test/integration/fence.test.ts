import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { fenceToken } from '../../activities/host/fence.ts';
import type { HostSession, RemoteHost } from '../../activities/host/types.ts';
import type { KubewrightError } from '../../contracts/errors.ts';
import { rebootHost } from '../../lab/faults.ts';
import { type TestPool, testPool } from '../fakes/test-pool.ts';
import { onHost } from './support.ts';

/** One attempt at a time on a host: two workers, one of them cut off or late. */

const lab = inject('lab');
const target = lab.hosts.at(-1)!;
const DIR = '/opt/kubewright-fence-test';
const children: ChildProcess[] = [];
let one: TestPool;
let two: TestPool;

const makePool = (): TestPool =>
  testPool(
    {
      key: { kind: 'key', privateKey: readFileSync(lab.sshKey, 'utf8') },
      password: { kind: 'password', password: readFileSync(lab.users.operator.passwordFile, 'utf8').trim() },
    },
    { address: target.address, port: target.port, hostKey: target.hostKey },
  );

/** Opens the host as one attempt of a phase. */
const attempt = (
  pool: TestPool,
  { operation = 'op-1', phase = 'etcd', round = 1, attempt: number = 1, as = 'root' },
): Promise<HostSession> =>
  pool.open(as === 'operator' ? { user: as, credential: { name: 'password' } } : { user: as }, {
    fence: { scope: phase, token: fenceToken(operation, round, number) },
  });

const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => error as KubewrightError,
  );

/** The host's processes that sleep for such a time. */
const sleeping = async (mark: string): Promise<string[]> =>
  (await onHost(lab, target.name, 'ps -eo args=')).split('\n').filter((line) => line.startsWith(`sleep ${mark}`));

/** Long enough for any test, and known by its number. */
const family = (mark: string) =>
  `sleep ${mark}1 & timeout 4000 sleep ${mark}2 & trap '' TERM; sleep ${mark}3; touch ${DIR}/survived`;

beforeAll(() => {
  one = makePool();
  two = makePool();
});
beforeEach(() =>
  onHost(lab, target.name, `rm -rf ${DIR} /var/lib/kubewright/fence/test /run/kubewright/fence/test; mkdir ${DIR}`),
);
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await one.pool.close();
  await two.pool.close();
  await onHost(lab, target.name, `rm -rf ${DIR} /var/lib/kubewright/fence/test /run/kubewright/fence/test`);
});

test.each(['root', 'admin'])(
  'a worker (%s) that was cut off is overtaken, and gets nothing done once it is back',
  async (user) => {
    const mark = user === 'root' ? '3100.' : '3200.';
    const child = spawn(
      process.execPath,
      [
        join(import.meta.dirname, 'support-late-worker.ts'),
        JSON.stringify({
          target: { address: target.address, port: target.port, hostKey: target.hostKey, user, keyFile: lab.sshKey },
          fence: { scope: 'etcd', token: fenceToken('op-1', 1, 1) },
          long: family(mark),
          folder: DIR,
        }),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    const said: { what: string; how: string }[] = [];
    const ended = (async () => {
      for await (const line of createInterface({ input: child.stdout! })) said.push(JSON.parse(line));
    })();
    await expect.poll(() => sleeping(mark), { timeout: 30_000 }).toHaveLength(3);
    // Its connection stays open, without any answer.
    child.kill('SIGSTOP');

    const { host } = await attempt(two, { attempt: 2, as: user });
    const { stdout } = await host.exec(['ps', '-eo', 'args=']);
    expect(stdout.split('\n').filter((line) => line.includes(`sleep ${mark}`))).toEqual([]);

    child.kill('SIGCONT');
    await ended;
    expect(said).toEqual([
      { what: 'long', how: 'COMMAND_FAILED' },
      { what: 'exec', how: 'HOST_BUSY' },
      { what: 'script', how: 'HOST_BUSY' },
      { what: 'upload', how: 'HOST_BUSY' },
      { what: 'claim', how: 'HOST_BUSY' },
      { what: 'end', how: 'ran' },
    ]);
    expect(await onHost(lab, target.name, `ls -A ${DIR}`)).toBe('');
    expect((await host.exec(['echo', 'still mine'])).stdout).toBe('still mine\n');
  },
);

test('a new operation ends what the old one runs, in every phase; others of its own go on', async () => {
  for (const as of ['admin', 'operator']) {
    const mark = as === 'admin' ? '3300.' : '3400.';
    const operation = as === 'admin' ? 'op-1' : 'op-3';
    const [etcd, runtime] = await Promise.all([
      attempt(one, { operation, phase: 'etcd', as }),
      attempt(one, { operation, phase: 'runtime', as }),
    ]);
    const running = [etcd, runtime].map(({ host }) => failure(host.exec(['sleep', `${mark}1`])));
    await expect.poll(() => sleeping(mark)).toHaveLength(2);
    // Another phase of the same operation, and a later attempt of one: only that one's command ends.
    await attempt(two, { operation, phase: 'prepare', as });
    await attempt(two, { operation, phase: 'runtime', attempt: 2, as });
    expect((await running[1])?.code).toBe('COMMAND_FAILED');
    expect(await sleeping(mark)).toHaveLength(1);

    const newer = operation === 'op-1' ? 'op-2' : 'op-4';
    const { host } = await attempt(two, { operation: newer, phase: 'preflight', as });
    expect((await running[0])?.code).toBe('COMMAND_FAILED');
    expect(await sleeping(mark)).toEqual([]);
    const refused = await failure(etcd.host.exec(['true']));
    expect(refused).toMatchObject({ code: 'HOST_BUSY', host: 'host-1' });
    expect(refused.message).toBe(`host-1 is held by operation ${newer}: this one has been overtaken`);
    expect(refused.evidence).toContain(fenceToken(operation, 1, 1));
    expect((await failure(attempt(one, { operation, phase: 'chrony', as }))).message).toContain(`operation ${newer}`);
    await host.exec(['true']);
  }
});

test('children of a killed command are ended too; unrelated processes with the same session number are not', async () => {
  const { host } = await attempt(one, {});
  const lost = failure(
    host.exec(['sh', '-c', 'sleep 3500.1 & timeout 4000 sleep 3500.2 & echo $$ >"$0"; wait', `${DIR}/pid`]),
  );
  await expect.poll(() => sleeping('3500.')).toHaveLength(2);
  await onHost(lab, target.name, `until [ -s ${DIR}/pid ]; do sleep 0.05; done; kill -KILL "$(cat ${DIR}/pid)"`);
  await lost;
  expect(await sleeping('3500.')).toHaveLength(2);
  // A session without its leader, as a daemon's, which a lost entry of the register names.
  await onHost(
    lab,
    target.name,
    `setsid sh -c 'sleep 3600.1 & echo $$ >${DIR}/stranger' </dev/null >/dev/null 2>&1
    until [ -s ${DIR}/stranger ]; do sleep 0.05; done
    s=$(cat ${DIR}/stranger); : >"/run/kubewright/fence/test/etcd/$s.1.$s.${fenceToken('op-1', 1, 1)}"`,
  );
  try {
    await attempt(two, { attempt: 2 });
    expect(await sleeping('3500.')).toEqual([]);
    expect(await sleeping('3600.')).toHaveLength(1);
  } finally {
    await onHost(lab, target.name, 'pkill -KILL -f "sleep 3600[.]1" || :');
  }
});

test('a package manager at work is waited for, not ended', async () => {
  const { host } = await attempt(one, {});
  await onHost(
    lab,
    target.name,
    `printf '#!/bin/sh\\ntouch ${DIR}/begun\\nsleep 3\\ntouch ${DIR}/done\\n' >${DIR}/dpkg; chmod 755 ${DIR}/dpkg`,
  );
  const running = host.exec(['sh', '-c', `${DIR}/dpkg; sleep 3700.1`], { okCodes: 'any' });
  await expect.poll(() => onHost(lab, target.name, `ls ${DIR}`)).toContain('begun');
  const next = await attempt(two, { attempt: 2 });
  expect((await next.host.exec(['ls', DIR])).stdout).toContain('done');
  expect(await running).toMatchObject({ signal: 'SIGTERM' });
  expect(two.recorder.entries.map(({ end }) => end?.stdout).join()).toMatch(/waited \d+ s for a package manager/);
});

test('commands that start while the next attempt claims either end with it or never run', async () => {
  const sessions: RemoteHost[] = [];
  for (let number = 1; number <= 12; number += 1) {
    const { host } = await attempt(number % 2 === 0 ? one : two, { attempt: number });
    // Nothing of the one before runs in this moment, and nothing of it will begin.
    expect(await sleeping('3800.')).toEqual([]);
    sessions.push(host);
    const burst = Array.from({ length: 5 }, (_, index) => host.exec(['sleep', `3800.${index}`], { okCodes: 'any' }));
    for (const each of burst) each.catch(() => {});
    if (number % 3 === 0) await expect.poll(() => sleeping('3800.')).not.toEqual([]);
  }
  const { host } = await attempt(one, { attempt: 13 });
  expect(await sleeping('3800.')).toEqual([]);
  // The register keeps nothing of those that were ended.
  expect((await host.exec(['ls', '/run/kubewright/fence/test/etcd'])).stdout).not.toContain(fenceToken('op-1', 1, 12));
  for (const late of sessions) expect((await failure(late.exec(['true']))).code).toBe('HOST_BUSY');
});

test('a dry run holds nothing and disturbs nothing', async () => {
  const build = await attempt(one, {});
  const running = build.host.exec(['sleep', '2.39001']);
  const dry = await two.open();
  expect((await dry.host.exec(['echo', 'beside'])).stdout).toBe('beside\n');
  expect((await running).code).toBe(0);
  await build.host.exec(['true']);
});

test('a host without its fence runs no command until it is claimed again; the newest claim survives a reboot', async () => {
  const { host } = await attempt(one, { attempt: 2 });
  await rebootHost(lab, target.name);
  expect((await failure(host.exec(['true']))).code).toBe('FENCE_LOST');
  expect((await failure(attempt(two, { attempt: 1 }))).code).toBe('HOST_BUSY');
  await (await attempt(one, { attempt: 3 })).host.exec(['true']);

  await onHost(lab, target.name, 'rm -rf /var/lib/kubewright/fence/test');
  const lost = await failure(host.exec(['true']));
  expect(lost).toMatchObject({ code: 'FENCE_LOST', host: 'host-1' });
  expect(lost.entry.retryable).toBe(true);
  await (await attempt(one, { attempt: 4 })).host.exec(['true']);
});
