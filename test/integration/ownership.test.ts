import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { KubewrightError } from '../../contracts/errors.ts';
import { makeBare, onHost, packageNames, type TaskCall, Workbench } from './support.ts';

/** The claim of every task: a host of another cluster is neither changed nor listed, and of two clusters one gets it. */

const lab = inject('lab');
const HOST = 'worker-1';
const MARK = '/etc/kubewright/cluster';
/** Two installations that know the host under one name. */
const owner = new Workbench(lab);
const stranger = new Workbench(lab);
let packages: string[] = [];

const mark = (): Promise<string> => onHost(lab, HOST, `cat ${MARK} 2>/dev/null || :`);
/** Everything of ours on the host, with its content. */
const traces = (): Promise<string> =>
  onHost(
    lab,
    HOST,
    `find /etc/kubewright /var/lib/kubewright /run/kubewright* -ls 2>/dev/null | awk '{ print $1, $3, $NF }'
    find /etc/kubewright /var/lib/kubewright -type f -exec sha256sum {} + 2>/dev/null || :`,
  );
const failure = (promise: Promise<unknown>): Promise<KubewrightError | null> =>
  promise.then(
    () => null,
    (error: unknown) => {
      if (KubewrightError.is(error)) return error;
      throw error;
    },
  );

beforeAll(async () => {
  await Promise.all([owner.open(), stranger.open()]);
  packages = await packageNames(lab, HOST);
});
beforeEach(() => onHost(lab, HOST, `rm -rf ${MARK}`));
afterAll(async () => {
  await makeBare(lab, HOST, packages);
  await Promise.all([owner.close(), stranger.close()]);
});

test('no task of another cluster does anything on a host: build, dry run, teardown, dry run of a teardown', async () => {
  await owner.run({ phase: 'prepare', host: HOST });
  const before = await traces();
  const calls: TaskCall[] = [
    { phase: 'preflight', host: HOST },
    { phase: 'prepare', host: HOST },
    { phase: 'prepare', host: HOST, mode: 'check' },
    { phase: 'teardown', host: HOST, kind: 'teardown' },
    { phase: 'teardown', host: HOST, kind: 'teardown', mode: 'check' },
  ];
  const cause = new RegExp(`another cluster that is called ${lab.name} too`);
  const ours = (await mark()).trim();
  // Before it has a CA of its own, and with one.
  for (const call of [calls[4]!, ...calls, ...calls]) {
    await stranger.stops(call, {
      code: 'HOST_OF_ANOTHER_CLUSTER',
      retryable: false,
      cause,
      evidence: new RegExp(`${MARK}: ${ours}`),
    });
  }
  await onHost(lab, HOST, `echo 'prod 0123456789ab' >${MARK}`);
  for (const call of calls) {
    await stranger.stops(call, {
      code: 'HOST_OF_ANOTHER_CLUSTER',
      retryable: false,
      cause: /belongs to the cluster prod/,
      evidence: /prod 0123456789ab/,
    });
  }
  await onHost(lab, HOST, `echo '${ours}' >${MARK}`);
  expect(await traces()).toBe(before);
  await owner.run({ phase: 'prepare', host: HOST });
  await owner.run({ phase: 'teardown', host: HOST, kind: 'teardown' });
});

test('any first task writes the ownership marker, the last step of the teardown removes it', async () => {
  await owner.run({ phase: 'chrony', host: HOST, mode: 'check' });
  expect(await mark()).toBe('');
  await owner.run({ phase: 'preflight', host: HOST });
  expect(await mark()).toMatch(new RegExp(`^${lab.name} [0-9a-f]{12}\n$`));
  const { changes } = await owner.run({ phase: 'teardown', host: HOST, kind: 'teardown', mode: 'check' });
  expect(changes.map(({ resource }) => resource)).toContain(`file:${MARK}`);
  await owner.run({ phase: 'teardown', host: HOST, kind: 'teardown' });
  expect(await traces()).toBe('');
  await stranger.run({ phase: 'preflight', host: HOST });
});

test('of two clusters that claim a fresh host at once exactly one gets it', async () => {
  for (let round = 0; round < 8; round += 1) {
    await onHost(lab, HOST, `rm -rf ${MARK}`);
    const [one, two] = await Promise.all(
      [owner, stranger].map((bench) => failure(bench.run({ phase: 'preflight', host: HOST }))),
    );
    expect([one?.code ?? 'its', two?.code ?? 'its'].sort()).toEqual(['HOST_OF_ANOTHER_CLUSTER', 'its']);
    const loser = one === null ? stranger : owner;
    expect((await failure(loser.run({ phase: 'prepare', host: HOST, mode: 'check' })))?.code).toBe(
      'HOST_OF_ANOTHER_CLUSTER',
    );
  }
});

test('a removed cluster can tear down hosts that its teardown did not reach; a new cluster of the name does not build there', async () => {
  await owner.run({ phase: 'prepare', host: HOST });
  await owner.deps.purgeSecrets(lab.name, { hosts: null, dryRun: false });
  // Safe to repeat: the second time there is no CA any more.
  await owner.deps.purgeSecrets(lab.name, { hosts: null, dryRun: false });
  expect((await failure(owner.run({ phase: 'preflight', host: HOST })))?.message).toMatch(/an earlier one of this/);
  const { changes } = await owner.run({ phase: 'teardown', host: HOST, kind: 'teardown', mode: 'check' });
  expect(changes.length).toBeGreaterThan(3);
  await owner.run({ phase: 'teardown', host: HOST, kind: 'teardown' });
  expect(await mark()).toBe('');
  await owner.run({ phase: 'preflight', host: HOST });
});

test('an empty marker does not count, an unreadable one counts as owned by another cluster', async () => {
  await onHost(lab, HOST, `printf '\\n\\n' >${MARK}`);
  await owner.run({ phase: 'preflight', host: HOST });
  expect(await mark()).toMatch(new RegExp(`^${lab.name} `));
  await onHost(lab, HOST, `rm -rf ${MARK}; mkdir -p ${MARK}`);
  expect((await failure(owner.run({ phase: 'preflight', host: HOST })))?.code).toBe('HOST_OF_ANOTHER_CLUSTER');
  // Words with what acts on a terminal come out escaped.
  await onHost(lab, HOST, `rm -rf ${MARK}; printf 'a\\033[2Jb\\n' >${MARK}`);
  const refused = await failure(owner.run({ phase: 'preflight', host: HOST }));
  expect(refused?.message).toContain('the cluster a\\u{1b}[2Jb');
});
