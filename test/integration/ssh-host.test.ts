import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createCredentialResolver } from '../../activities/host/credentials.ts';
import type { SshPoolLimits } from '../../activities/host/pool.ts';
import type { RemoteHost } from '../../activities/host/types.ts';
import type { KubewrightError } from '../../contracts/errors.ts';
import type { Lab, LabHost } from '../../lab/types.ts';
import { testKey } from '../fakes/ssh-server.ts';
import { type TestPool, testPool } from '../fakes/test-pool.ts';

const run = promisify(execFile);

/** A second sshd of ours on the host, for what one must not do to the lab's own. */
const PORT = 2299;
const DIR = '/run/kubewright-ssh-test';

let lab: Lab;
let target: LabHost;
let pools: TestPool[];
let root: RemoteHost;
/** The same machine as root, as `admin` with a key and sudo, and as `operator` with a password and sudo. */
let logins: { root: RemoteHost; admin: RemoteHost; operator: RemoteHost };

async function pool(limits: SshPoolLimits = {}, port = 22): Promise<TestPool> {
  const made = testPool(
    {
      key: { kind: 'key', privateKey: await readFile(lab.sshKey, 'utf8') },
      stranger: { kind: 'key', privateKey: testKey().private },
      password: { kind: 'password', password: (await readFile(lab.users.operator.passwordFile, 'utf8')).trim() },
      wrong: { kind: 'password', password: 'not the password' },
    },
    { address: target.address, port, hostKey: port === 22 ? target.hostKey : undefined },
    limits,
  );
  pools.push(made);
  return made;
}

const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => error as KubewrightError,
  );

/** Command lines on the host that hold the mark, without this question itself. */
async function running(mark: string): Promise<string[]> {
  const { stdout } = await root.exec(['ps', '-eo', 'stat=,args=']);
  return stdout.split('\n').filter((line) => line.includes(mark) && !line.startsWith('Z'));
}

/** Starts our own sshd with one host key and these settings; ends the one before. */
async function startSshd(settings = ''): Promise<void> {
  await root.script(
    `
    mkdir -p "$1"
    [ ! -e "$1/pid" ] || { kill "$(cat "$1/pid")" || true; rm -f "$1/pid"; }
    rm -f "$1/key" "$1/key.pub"
    ssh-keygen -q -t ed25519 -N '' -f "$1/key"
    printf '%s\\n' "Port $2" "HostKey $1/key" "PidFile $1/pid" 'PermitRootLogin yes' 'UsePAM no' "$3" >"$1/config"
    n=0
    until /usr/sbin/sshd -f "$1/config" 2>"$1/log" && [ $n -lt 50 ]; do n=$((n + 1)); sleep 0.1; done
    until [ -s "$1/pid" ]; do sleep 0.05; done`,
    [DIR, String(PORT), settings],
  );
}

beforeAll(async () => {
  lab = inject('lab');
  target = lab.hosts[0]!;
  pools = [];
  const { open } = await pool();
  root = (await open()).host;
  logins = {
    root,
    admin: (await open({ user: 'admin' })).host,
    operator: (await open({ user: 'operator', credential: { name: 'password' } })).host,
  };
});

afterAll(async () => {
  await root.script(
    `[ ! -e "$1/pid" ] || kill "$(cat "$1/pid")"; rm -rf "$1"; userdel -rf kwplain 2>/dev/null || true`,
    [DIR],
  );
  for (const made of pools) await made.pool.close();
});

test('facts of a real machine', async () => {
  const { facts, hostKeyFingerprint } = await (await pool()).open();
  expect(facts).toMatchObject({ os: { id: 'debian' }, packageManager: 'apt', initSystem: 'systemd' });
  expect(facts.hostname).toBe(target.name);
  expect(facts.machineId).toMatch(/^[0-9a-f]{32}$/);
  expect(facts.bootId).toMatch(/^[0-9a-f-]{36}$/);
  expect(facts.cpus).toBeGreaterThan(0);
  expect(facts.memoryMiB).toBeGreaterThan(100);
  expect(hostKeyFingerprint).toMatch(/^SHA256:/);
});

test('every login runs as root, keeps standard input to the command, and can stay itself', async () => {
  for (const [user, host] of Object.entries(logins)) {
    expect((await host.exec(['id', '-un'])).stdout, user).toBe('root\n');
    expect((await host.exec(['id', '-un'], { sudo: false })).stdout).toBe(`${user}\n`);
    expect((await host.exec(['cat'], { stdin: 'äöü\n' })).stdout, user).toBe('äöü\n');
    expect((await host.exec(['cat'])).stdout, user).toBe('');
    expect((await host.exec(['printenv', 'A', 'PATH'], { env: { A: "x'y" } })).stdout).toMatch(
      /^x'y\n\/usr\/local\/bin:/,
    );
    expect((await host.script('cat; printf "%s|" "$@" "$(umask)"', ['a b', ''])).stdout).toBe('a b||0022|');
  }
});

test('fast commands, one after the other and side by side, lose nothing', async () => {
  for (const host of Object.values(logins)) {
    for (let n = 0; n < 20; n += 1) expect((await host.exec(['echo', String(n)])).stdout).toBe(`${n}\n`);
    const all = await Promise.all(Array.from({ length: 40 }, (_, n) => host.exec(['echo', String(n)])));
    expect(all.map((result) => Number(result.stdout))).toEqual(Array.from({ length: 40 }, (_, n) => n));
  }
});

test('codes and signals come through sudo', async () => {
  for (const host of Object.values(logins)) {
    expect((await host.exec(['sh', '-c', 'exit 7'], { okCodes: [7] })).code).toBe(7);
    expect(await host.exec(['sh', '-c', 'kill -KILL $$'], { okCodes: 'any' })).toMatchObject({
      code: 137,
      signal: 'SIGKILL',
    });
    expect((await failure(host.exec(['no-such-program']))).evidence).toMatch(/not found/);
  }
});

test('a timeout ends the command and its children for every login, also those that ignore TERM', async () => {
  for (const host of Object.values(logins)) {
    const family = `trap '' TERM; sleep 2001.5 & timeout 2001.6 sleep 2001.7 & echo begun; wait; sleep 2001.8`;
    const error = await failure(host.exec(['sh', '-c', family], { timeoutMs: 700 }));
    expect(error).toMatchObject({ code: 'COMMAND_TIMEOUT', evidence: 'begun' });
    expect(await running('2001.')).toEqual([]);
  }
});

test('an abort ends the command, endless output does no harm', async () => {
  const controller = new AbortController();
  const made = await pool();
  const { host } = await made.open({ user: 'admin' }, { signal: controller.signal });
  const commands = [failure(host.exec(['yes', 'kw-2002-endless'])), failure(host.exec(['sleep', '2002.5']))];
  await expect.poll(async () => (await running('2002')).length).toBeGreaterThanOrEqual(2);
  controller.abort();
  for (const error of await Promise.all(commands)) expect(error.code).toBe('COMMAND_ABORTED');
  expect(await running('2002')).toEqual([]);
});

test('upload writes as root for every login: content, mode, owner, nothing left beside it', async () => {
  const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, n) => (n * 7) % 256));
  for (const [user, host] of Object.entries(logins)) {
    const path = `/etc/kubewright-upload/with 'odd' ${user}`;
    await host.exec(['mkdir', '-p', '-m', '0700', '/etc/kubewright-upload']);
    await host.upload(path, content, { mode: 0o640, owner: 'root', group: 'daemon' });
    expect((await host.exec(['stat', '-c', '%a %U:%G %s', path])).stdout).toBe('640 root:daemon 3000000\n');
    await host.upload(path, 'short\n', { owner: 'daemon' });
    expect((await host.exec(['stat', '-c', '%a %U:%G', path])).stdout).toBe('644 daemon:daemon\n');
    expect((await host.exec(['cat', path])).stdout).toBe('short\n');
  }
  expect((await root.script('ls /etc/kubewright-upload | wc -l; rm -r /etc/kubewright-upload')).stdout.trim()).toBe(
    '3',
  );
  const missing = await failure(logins.admin.upload('/no/such/folder/file', 'x'));
  expect(missing.evidence).toBe('the directory /no/such/folder does not exist');
});

test('a key of the host that is not the pinned one stops; so does a changed key after the first use', async () => {
  const wrong = await failure((await pool()).open({ hostKey: `SHA256:${'A'.repeat(43)}` }));
  expect(wrong.code).toBe('SSH_HOST_KEY_MISMATCH');
  await startSshd();
  const made = await pool({}, PORT);
  const first = await made.open();
  expect(made.hostKeys.keys.get('test/host-1')).toMatch(/^ssh-ed25519 AAAA/);
  expect((await made.open({ hostKey: first.hostKeyFingerprint })).hostKeyFingerprint).toBe(first.hostKeyFingerprint);
  await startSshd();
  await made.pool.close();
  const again = await pool({}, PORT);
  again.hostKeys.keys.set('test/host-1', made.hostKeys.keys.get('test/host-1') ?? '');
  const error = await failure(again.open());
  expect(error).toMatchObject({ code: 'SSH_HOST_KEY_MISMATCH', host: 'host-1' });
  expect(error.evidence).toContain(`expected ${first.hostKeyFingerprint}`);
});

test('a killed connection fails the running command; an idle connection is replaced without an error', async () => {
  await startSshd();
  const { open } = await pool({}, PORT);
  const { host } = await open();
  // What our own sshd forked: the connections, not the listener.
  const cut = () => root.script('pkill -KILL -P "$(cat "$1/pid")"', [DIR]);
  const said = `${DIR}/said`;
  const lost = failure(host.exec(['sh', '-c', 'echo begun; touch "$1"; sleep 30', 'sh', said]));
  await expect
    .poll(async () => (await root.exec(['test', '-e', said], { okCodes: 'any' })).code, { timeout: 30_000 })
    .toBe(0);
  // Comes back on the same connection, behind what the command had said.
  await host.exec(['true']);
  await cut();
  const error = await lost;
  expect(error.code).toBe('SSH_CONNECTION_LOST');
  expect(error.evidence).toMatch(/begun/);
  expect((await host.exec(['echo', 'back'])).stdout).toBe('back\n');
  await cut();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect((await host.exec(['echo', 'again'])).stdout).toBe('again\n');
});

test('a host with few sessions per connection still gets everything done, and stopped', async () => {
  await startSshd('MaxSessions 1');
  const { open } = await pool({}, PORT);
  const { host } = await open();
  const all = await Promise.all(Array.from({ length: 12 }, (_, n) => host.script('sleep 0.1; echo "$1"', [String(n)])));
  expect(all.map((result) => Number(result.stdout))).toEqual(Array.from({ length: 12 }, (_, n) => n));
  expect((await failure(host.exec(['sleep', '2003.5'], { timeoutMs: 300 }))).code).toBe('COMMAND_TIMEOUT');
  expect(await running('2003.')).toEqual([]);
});

test('refused logins, by key and by password', async () => {
  // A wrong password is answered late on purpose: longer than the least time of a try.
  const { open } = await pool({ retryForMs: 10_000 });
  expect((await failure(open({ credential: { name: 'stranger' } }))).code).toBe('SSH_AUTH_FAILED');
  expect((await failure(open({ user: 'operator', credential: { name: 'wrong' } }))).code).toBe('SSH_AUTH_FAILED');
});

test('a user without sudo, whose shell prints at start, is named as such', async () => {
  await root.script(`
    id kwplain >/dev/null 2>&1 || useradd -m -s /bin/bash kwplain
    mkdir -p ~kwplain/.ssh
    cp /root/.ssh/authorized_keys ~kwplain/.ssh/
    echo 'echo Welcome to this machine' >~kwplain/.bashrc
    chown -R kwplain: ~kwplain/.ssh`);
  const { host } = await (await pool()).open({ user: 'kwplain' });
  expect((await host.exec(['id', '-un'], { sudo: false })).stdout).toBe('kwplain\n');
  const error = await failure(host.exec(['true']));
  expect(error.code).toBe('SUDO_REFUSED');
  expect(error.evidence).toMatch(/sudo/);
});

test('nothing there: refused at once, no route within the time', async () => {
  const { open } = await pool({ readyTimeoutMs: 4_000 });
  const refused = await failure(open({ port: 1 }));
  expect(refused).toMatchObject({ code: 'SSH_UNREACHABLE' });
  expect(refused.evidence).toMatch(/ECONNREFUSED/);
  const nobody = await failure(open({ address: target.address.replace(/\d+$/, '249') }));
  expect(nobody).toMatchObject({ code: 'SSH_UNREACHABLE', host: 'host-1' });
  expect(nobody.evidence).toMatch(/EHOSTUNREACH|[Tt]imed out/);
});

test('through a jump host', async () => {
  const { open, hostKeys } = await pool();
  const inner = lab.hosts[1] ?? target;
  const jump = {
    address: target.address,
    port: 22,
    user: 'admin',
    credential: { name: 'key' },
    hostKey: target.hostKey,
  };
  const session = await open({ name: inner.name, address: inner.address, hostKey: inner.hostKey, jump });
  expect(session.facts.hostname).toBe(inner.name);
  const { stdout } = await session.host.exec(['ss', '-Htn', 'state', 'established', 'sport', '=', ':22']);
  expect(stdout).toContain(`${target.address}:`);
  expect(hostKeys.keys.size).toBe(0);
});

test('through an ssh-agent', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'kubewright-agent-'));
  const socket = join(dir, 'agent');
  const { stdout } = await run('ssh-agent', ['-s', '-a', socket]);
  const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(stdout)?.[1]);
  try {
    await run('ssh-add', [lab.sshKey], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    const credential = await createCredentialResolver({ paths: ['/'] }).resolve('test', {
      credential: { agent: socket },
      address: '10.0.0.1',
      port: 22,
      user: 'root',
      via: null,
      hostKey: null,
    });
    const made = testPool({ agent: credential }, { address: target.address, port: 22, hostKey: target.hostKey });
    pools.push(made);
    expect((await (await made.open()).host.exec(['id', '-un'])).stdout).toBe('root\n');
  } finally {
    process.kill(pid);
    await rm(dir, { recursive: true, force: true });
  }
});
