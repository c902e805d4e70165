import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { fenceToken } from '../../activities/host/fence.ts';
import type { HostSession } from '../../activities/host/types.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { type TestPool, testPool } from '../fakes/test-pool.ts';
import { onHost } from './support.ts';

/** The first script of a task takes the host on its way: one round trip, and the fence holds as it does after a claim. */

const lab = inject('lab');
const target = lab.hosts.at(-1)!;
const MARK = '/etc/kubewright/cluster';
const USERS = ['root', 'admin', 'operator'] as const;
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

const attempt = (
  pool: TestPool,
  { number = 1, as = 'root', owned = false }: { number?: number; as?: (typeof USERS)[number]; owned?: boolean } = {},
): Promise<HostSession> =>
  pool.open(as === 'operator' ? { user: as, credential: { name: 'password' } } : { user: as }, {
    fence: { scope: 'etcd', token: fenceToken('op-1', 1, number) },
    claims: 'with-first-command',
    ...(owned ? { owner: { name: 'test', ids: ['0123456789ab'], leaves: '0123456789ab' } } : {}),
  });

const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => (KubewrightError.is(error) ? error : Promise.reject(error)),
  );

const sleeping = async (mark: string): Promise<string[]> =>
  (await onHost(lab, target.name, 'ps -eo args=')).split('\n').filter((line) => line.startsWith(`sleep ${mark}`));

/** Commands of a pool after its facts, as their kinds and exit codes. */
const commands = ({ recorder }: TestPool) =>
  recorder.entries.filter(({ start }) => start.argv.includes('etcd') || !start.argv.includes('--')).length;

const clean = () =>
  onHost(lab, target.name, `rm -rf ${MARK} /var/lib/kubewright/fence/test /run/kubewright/fence/test`);

beforeAll(() => {
  one = makePool();
  two = makePool();
});
beforeEach(clean);
afterAll(async () => {
  await one.pool.close();
  await two.pool.close();
  await clean();
});

test.each(USERS)('one command claims and runs the first script (%s); the ones after it pass the fence', async (as) => {
  const { host } = await attempt(one, { as });
  const before = one.recorder.entries.length;
  const { stdout, code } = await host.script('echo "$1" "$KUBEWRIGHT_FENCE" "$(id -u)"; umask; exit 3', ['a b'], {
    okCodes: [3],
  });
  expect({ code, stdout }).toEqual({ code: 3, stdout: `a b ${fenceToken('op-1', 1, 1)} 0\n0022\n` });
  expect(one.recorder.entries.length - before).toBe(1);
  expect((await host.exec(['echo', 'held'])).stdout).toBe('held\n');
  expect(one.recorder.entries.length - before).toBe(2);
});

test.each(USERS)('what an older attempt still runs is ended before the first script runs (%s)', async (as) => {
  const mark = `41${USERS.indexOf(as)}0.`;
  const old = await attempt(one, { as });
  const running = failure(old.host.script(`sleep ${mark}1 & sleep ${mark}2`));
  await expect.poll(() => sleeping(mark)).toHaveLength(2);
  const before = two.recorder.entries.length;
  const { host } = await attempt(two, { number: 2, as });
  expect((await host.script(`pgrep -f '^sleep ${mark}' || echo none`)).stdout).toBe('none\n');
  // The script that did not run, the claim, the script.
  expect(two.recorder.entries.slice(before).filter(({ start }) => start.kind === 'script').length).toBeGreaterThan(2);
  expect((await running).code).toBe('COMMAND_FAILED');
  expect((await failure(old.host.exec(['true']))).code).toBe('HOST_BUSY');
});

test('an overtaken attempt does not run its first script', async () => {
  await (await attempt(two, { number: 2 })).host.script(':');
  const { host } = await attempt(one);
  expect((await failure(host.script('touch /run/kubewright/overtaken'))).code).toBe('HOST_BUSY');
  expect(await onHost(lab, target.name, 'ls /run/kubewright')).not.toContain('overtaken');
});

test('of first scripts at the same time the newest attempt continues, and no other one succeeds after it', async () => {
  for (let round = 0; round < 5; round += 1) {
    await clean();
    const sessions = await Promise.all([1, 2, 3, 4].map((number) => attempt(number % 2 ? one : two, { number })));
    const ended = await Promise.allSettled(
      sessions.map(({ host }, index) => host.script(`sleep 0.2; echo ${index + 1}`)),
    );
    expect(ended.at(-1)).toMatchObject({ status: 'fulfilled', value: { stdout: '4\n' } });
    const late = await Promise.allSettled(sessions.map(({ host }) => host.exec(['true'])));
    expect(late.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled']);
  }
});

test('commands asked for at once: the first script claims, the others wait for it', async () => {
  const { host } = await attempt(one);
  const before = one.recorder.entries.length;
  const answers = await Promise.all([
    host.script('sleep 0.3; echo first'),
    host.script('echo second'),
    host.exec(['echo', 'third']),
  ]);
  expect(answers.map(({ stdout }) => stdout)).toEqual(['first\n', 'second\n', 'third\n']);
  expect(one.recorder.entries.length - before).toBe(3);
});

test('a first command that is no script is preceded by a claim; a failed first script reports its output, and the next one runs', async () => {
  const { host } = await attempt(one);
  expect((await host.exec(['echo', 'claimed'])).stdout).toBe('claimed\n');

  const second = (await attempt(one, { number: 2 })).host;
  const error = await failure(second.script('echo why; exit 4'));
  expect(error).toMatchObject({ code: 'COMMAND_FAILED', evidence: 'why' });
  expect((await second.script('echo next')).stdout).toBe('next\n');
});

test('the first script writes the ownership marker, and does not run on a host of another cluster', async () => {
  const before = commands(one);
  const { host } = await attempt(one, { owned: true });
  expect((await host.script('cat "$1"', [MARK])).stdout).toBe('test 0123456789ab\n');
  expect(commands(one)).toBe(before + 1);

  await onHost(lab, target.name, `echo 'others ffffffffffff' >${MARK}`);
  const other = (await attempt(one, { number: 2, owned: true })).host;
  const error = await failure(other.script('touch /run/kubewright/foreign'));
  expect(error).toMatchObject({ code: 'HOST_OF_ANOTHER_CLUSTER', host: 'host-1' });
  expect(error.evidence).toContain('others ffffffffffff');
  expect(await onHost(lab, target.name, 'ls /run/kubewright')).not.toContain('foreign');
});
