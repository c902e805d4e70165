import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROXY_VARIABLES } from '../../../activities/host/direct.ts';
import type { HostSession, RemoteHost } from '../../../activities/host/types.ts';
import type { KubewrightError } from '../../../contracts/errors.ts';
import { TestSshServer, testKey } from '../../fakes/ssh-server.ts';
import { type TestPool, testPool } from '../../fakes/test-pool.ts';

/** Stands in for sudo: asks for a password (-S) or refuses to (-n), as `ask` says; takes one line, byte by byte. */
const fakeSudo = (ask: boolean) => `#!/bin/sh
stdin=no
while [ "$1" != -- ]; do case $1 in -S) stdin=yes ;; -p) shift ;; esac; shift; done
shift
if ${ask}; then
  [ $stdin = yes ] || { echo 'sudo: a password is required' >&2; exit 1; }
  IFS= read -r given
  [ "$given" = 'right one' ] || { echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }
fi
exec "$@"
`;

const me = userInfo().username;
const login = testKey();
let dir: string;
let sshd: TestSshServer;
let made: TestPool;
let host: RemoteHost;
const servers: TestSshServer[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kubewright-host-'));
  for (const [name, ask] of [
    ['free', false],
    ['ask', true],
  ] as const) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'sudo'), fakeSudo(ask));
    chmodSync(join(dir, name, 'sudo'), 0o755);
  }
  sshd = await start('free');
  made = pool(sshd);
  host = (await made.open()).host;
});

afterAll(async () => {
  await made.pool.close();
  for (const server of servers) await server.close();
  rmSync(dir, { recursive: true });
});

async function start(sudo: string): Promise<TestSshServer> {
  const options = { hostKeys: [testKey()], authorized: [login], password: 'right one', path: join(dir, sudo) };
  const server = await new TestSshServer(options).listen();
  servers.push(server);
  return server;
}

const pool = (to: TestSshServer): TestPool =>
  testPool(
    {
      login: { kind: 'key', privateKey: login.private },
      password: { kind: 'password', password: 'right one' },
    },
    { port: to.port },
  );

const failure = (promise: Promise<unknown>): Promise<KubewrightError> =>
  promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: unknown) => error as KubewrightError,
  );

/** In the arguments of what a test leaves running: other runs on this machine have theirs. */
const OWN = String(process.pid).padStart(7, '0');
/** Processes with the mark among their arguments. */
const running = (nonce: string): string[] =>
  execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(nonce) && !line.includes('<defunct>'));

test('a command gets its arguments, input and environment, and gives back code, output and errors', async () => {
  const result = await host.exec(['sh', '-c', 'cat; echo "$1|$X" >&2; exit 3', 'sh', "a 'b' $HOME"], {
    stdin: 'in\nput',
    env: { X: 'v w' },
    okCodes: [0, 3],
  });
  expect(result).toMatchObject({
    code: 3,
    stdout: 'in\nput',
    stderr: "a 'b' $HOME|v w\n",
    truncated: false,
    signal: null,
  });
});

test('a very fast command loses nothing', async () => {
  for (let n = 0; n < 30; n += 1) expect((await host.exec(['echo', String(n)])).stdout).toBe(`${n}\n`);
});

test('output on stderr is no failure, an exit code is; the evidence has the last output', async () => {
  expect((await host.exec(['sh', '-c', 'echo warning >&2'])).stderr).toBe('warning\n');
  const error = await failure(host.exec(['sh', '-c', 'echo out; echo bad >&2; exit 9']));
  expect(error).toMatchObject({ code: 'COMMAND_FAILED', host: 'host-1', evidence: 'bad' });
  expect(error.message).toBe('sh failed with code 9 on host-1');
  expect((await failure(host.exec(['no-such-program']))).evidence).toMatch(/not found/);
});

test('the same PATH, language and umask for every command', async () => {
  const { stdout } = await host.script('echo "$PATH|$LC_ALL|$(umask)"');
  expect(stdout).toBe('/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin|C|0022\n');
});

test('nothing of the host is in the environment of a command, of what it is to set everything', async () => {
  sshd.environment = {
    ...Object.fromEntries(PROXY_VARIABLES.map((name) => [name, 'http://192.0.2.1:3128'])),
    ...{
      ETCDCTL_ENDPOINTS: 'http://192.0.2.1',
      KUBECONFIG: '/nowhere',
      TAR_OPTIONS: '--nonsense',
      CURL_HOME: '/nowhere',
    },
    ...{
      APT_CONFIG: '/nowhere',
      LANG: 'de_DE.UTF-8',
      LD_LIBRARY_PATH: '/nowhere',
      ENV: '/nowhere',
      GREP_OPTIONS: '-v',
    },
  };
  // With and without sudo, whose env_keep and -E are as good as no sudo at all here.
  for (const user of [me, 'admin']) {
    const session = await made.open({ user });
    const { stdout } = await session.host.exec(['env'], { env: { KEPT: 'yes' } });
    const names = stdout.split('\n').flatMap((line) => line.split('=')[0] || []);
    expect(names.filter((name) => !['OLDPWD', 'PWD', 'SHLVL', '_'].includes(name)).sort()).toEqual([
      'HOME',
      'KEPT',
      'LC_ALL',
      'PATH',
    ]);
  }
  sshd.environment = {};
});

test('characters split across packets are whole, invalid bytes tolerated, long lines kept', async () => {
  const split = `printf '\\342\\202'; sleep 0.05; printf '\\254\\377'`;
  expect((await host.exec(['sh', '-c', split])).stdout).toBe('€\uFFFD');
  const long = await host.exec(['sh', '-c', 'head -c 900000 /dev/zero | tr "\\0" x']);
  expect(long.stdout).toHaveLength(900_000);
});

test('output is cut at the limit and counted beyond it', async () => {
  const result = await host.exec(['sh', '-c', 'head -c 5000000 /dev/zero | tr "\\0" x; echo end >&2'], {
    maxOutputBytes: 100,
  });
  expect(result).toMatchObject({ stdoutBytes: 5_000_000, truncated: true, stderr: 'end\n' });
  expect(result.stdout).toHaveLength(100);
});

test('endless output neither fills the memory nor escapes the timeout', async () => {
  const before = process.memoryUsage().rss;
  const error = await failure(host.exec(['yes', `kw-endless-${OWN}`], { timeoutMs: 300, maxOutputBytes: 1000 }));
  expect(error.code).toBe('COMMAND_TIMEOUT');
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
  expect(running(`kw-endless-${OWN}`)).toEqual([]);
});

test('a command that ends by a signal is reported with the signal', async () => {
  const result = await host.exec(['sh', '-c', 'kill -KILL $$'], { okCodes: 'any' });
  expect(result).toMatchObject({ code: 137, signal: 'SIGKILL' });
  const error = await failure(host.exec(['sh', '-c', 'kill -TERM $$'], { okCodes: [143] }));
  expect(error.message).toBe('sh was ended by SIGTERM on host-1');
});

test('a timeout ends the whole family, also what moved to another process group', async () => {
  const script = `sleep 1001.${OWN}7 & timeout 1001.${OWN}8 sleep 1001.${OWN}9 & echo begun; wait`;
  const error = await failure(host.exec(['sh', '-c', script], { timeoutMs: 200 }));
  expect(error).toMatchObject({ code: 'COMMAND_TIMEOUT', evidence: 'begun' });
  expect(running(`1001.${OWN}`)).toEqual([]);
});

test('what ignores TERM is killed', async () => {
  const error = await failure(
    host.script(`trap '' TERM; sleep 1002.${OWN}7; sleep 1002.${OWN}8`, [], { timeoutMs: 150 }),
  );
  expect(error.code).toBe('COMMAND_TIMEOUT');
  expect(running(`1002.${OWN}`)).toEqual([]);
});

test('an abort ends the command, and what was queued behind it does not start', async () => {
  const controller = new AbortController();
  const session = await made.open({}, { signal: controller.signal });
  const all = Array.from({ length: 8 }, () => failure(session.host.exec(['sleep', `1003.${OWN}7`])));
  await expect.poll(() => running(`1003.${OWN}`).length).toBeGreaterThanOrEqual(5);
  const before = sshd.lines.filter((line) => line.includes(`1003.${OWN}7`)).length;
  controller.abort();
  for (const error of await Promise.all(all)) expect(error.code).toBe('COMMAND_ABORTED');
  expect(running(`1003.${OWN}`)).toEqual([]);
  expect(sshd.lines.filter((line) => line.includes(`1003.${OWN}7`))).toHaveLength(before);
  expect((await failure(session.host.exec(['true']))).code).toBe('COMMAND_ABORTED');
});

test('a command that is stopped at its start leaves nothing behind', async () => {
  for (let n = 0; n < 10; n += 1) {
    const controller = new AbortController();
    const session = await made.open({}, { signal: controller.signal });
    const stopped = failure(session.host.exec(['sleep', `1004.${OWN}7`]));
    setTimeout(() => controller.abort(), n);
    expect((await stopped).code).toBe('COMMAND_ABORTED');
  }
  await expect.poll(() => running(`1004.${OWN}`)).toEqual([]);
});

test('a lost connection is never a result', async () => {
  const server = await start('free');
  const { open, pool: own } = pool(server);
  const session = await open();
  for (const [how, nap] of [
    ['reset', `31.${OWN}8`],
    ['end', `31.${OWN}9`],
  ] as const) {
    const lost = failure(session.host.exec(['sh', '-c', 'echo begun; sleep "$1"', how, nap]));
    await expect.poll(() => running(`sleep ${nap}`).length).toBe(1);
    // What it wrote was on the way before; when this is answered, that has come too.
    await session.host.exec(['true']);
    server.drop(how);
    const error = await lost;
    expect(error).toMatchObject({ code: 'SSH_CONNECTION_LOST', host: 'host-1' });
    expect(error.evidence).toMatch(/begun/);
  }
  server.when(/no-status/, (channel) => channel.close());
  expect((await failure(session.host.exec(['no-status']))).code).toBe('SSH_CONNECTION_LOST');
  await own.close();
});

test('what a lost connection left running is ended before the next command', async () => {
  const server = await start('free');
  const { open, pool: own } = pool(server);
  for (const user of ['root', 'admin']) {
    const session = await open({ user });
    const lost = failure(session.host.exec(['sh', '-c', `sleep 1007.${OWN}7 & sleep 1007.${OWN}8`]));
    await expect.poll(() => running(`1007.${OWN}`).length).toBeGreaterThanOrEqual(2);
    // Its report was on the way before it ran; when this is answered, that has come too.
    await session.host.exec(['true']);
    server.drop();
    expect((await lost).code).toBe('SSH_CONNECTION_LOST');
    expect(running(`1007.${OWN}`).length).toBeGreaterThanOrEqual(2);
    await session.host.exec(['true']);
    expect(running(`1007.${OWN}`)).toEqual([]);
  }
  await own.close();
});

test('a host that never gives the channel does not hold us', async () => {
  const server = await start('free');
  const { open, pool: own } = pool(server);
  const session = await open();
  server.freeze();
  expect((await failure(session.host.exec(['true'], { timeoutMs: 50 }))).code).toBe('COMMAND_TIMEOUT');
  await own.close();
});

test('a background process that holds the output open does not block the command', async () => {
  const result = await host.exec(['sh', '-c', 'echo done; setsid sleep 5 &']);
  expect(result.stdout).toBe('done\n');
});

test('noise of shell start-up files is not output', async () => {
  sshd.when(/with-noise/, (channel) => {
    const nonce = /kw-[0-9a-f]+/.exec(sshd.lines.at(-1) ?? '')?.[0];
    channel.write('Welcome!\n');
    setTimeout(() => channel.write(`You have mail.\n${nonce} 5 `), 10);
    setTimeout(() => {
      channel.write('4 3 3 9\nreal output\n');
      channel.exit(0);
      channel.close();
    }, 20);
  });
  expect((await host.exec(['with-noise'])).stdout).toBe('real output\n');
});

test('a login shell that runs nothing is a failure with its output', async () => {
  sshd.when(/nologin-user/, (channel) => {
    channel.write('This account is currently not available.\n');
    channel.exit(1);
    channel.close();
  });
  const error = await failure(host.exec(['nologin-user'], { okCodes: 'any' }));
  expect(error.code).toBe('LOGIN_SHELL_UNUSABLE');
  expect(error.message).toMatch(/^host-1 \(root@127\.0\.0\.1, port \d+\) does not run our commands: .*nologin/);
  expect(error.evidence).toMatch(/not available/);
});

test('scripts: arguments as words, stops at the first failure, unset names and reads of standard input', async () => {
  const result = await host.script('printf "%s\\n" "$#" "$@"', ['a b', "c'd", '', '-x']);
  expect(result.stdout).toBe("4\na b\nc'd\n\n-x\n");
  expect((await failure(host.script('echo one\nfalse\necho two'))).message).toBe(
    'a script failed with code 1 on host-1',
  );
  expect((await failure(host.script('echo "$unset_name"'))).evidence).toMatch(/unset_name/);
  // `cat` would otherwise swallow the rest of the script.
  expect((await host.script('cat\necho after\n# a comment')).stdout).toBe('after\n');
  expect((await host.script('')).code).toBe(0);
  const heredoc = await host.script("cat <<'EOF'\n$x } {\nEOF\nf() { echo in; }\nf", []);
  expect(heredoc.stdout).toBe('$x } {\nin\n');
});

test('a script that arrives in part runs not at all', async () => {
  const server = await start('free');
  const { open, pool: own } = pool(server);
  const session = await open();
  const flag = join(dir, 'ran');
  const text = `touch ${flag}\n${'# filler\n'.repeat(400_000)}`;
  server.when(/-s/, (channel, line) => {
    channel.once('data', (chunk: Buffer) => {
      try {
        execFileSync('sh', ['-c', line], { input: chunk, stdio: 'pipe' });
      } catch {
        // A syntax error, as it should be.
      }
      server.drop();
    });
  });
  expect((await failure(session.host.script(text))).code).toBe('SSH_CONNECTION_LOST');
  expect(readdirSync(dir)).not.toContain('ran');
  await own.close();
});

test('upload: content, mode and owner, atomically, leaving nothing else', async () => {
  const folder = join(dir, "with 'odd' name");
  mkdirSync(folder);
  const path = join(folder, 'file');
  const content = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 256));
  await host.upload(path, content, { mode: 0o640, owner: me });
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(statSync(path).mode & 0o7777).toBe(0o640);
  const inode = statSync(path).ino;
  await host.upload(path, 'ü\n', { owner: me });
  expect(readFileSync(path, 'utf8')).toBe('ü\n');
  expect(statSync(path).ino).not.toBe(inode);
  await host.upload(path, '', { owner: me, mode: 0o600 });
  expect(statSync(path)).toMatchObject({ size: 0 });
  expect(readdirSync(folder)).toEqual(['file']);
});

test('upload: a failure names its cause and leaves the old file', async () => {
  const path = join(dir, 'kept');
  writeFileSync(path, 'old');
  const missing = await failure(host.upload(join(dir, 'no/such/file'), 'x', { owner: me }));
  expect(missing).toMatchObject({ code: 'COMMAND_FAILED' });
  expect(missing.evidence).toMatch(/no\/such does not exist/);
  expect((await failure(host.upload(dir, 'x', { owner: me }))).evidence).toMatch(/is a directory/);
  expect((await failure(host.upload(path, 'x', { owner: 'no-such-user' }))).code).toBe('COMMAND_FAILED');
  for (const bad of ['relative', '/a/../b', '/a/', '/']) {
    expect((await failure(host.upload(bad, 'x'))).message, bad).toMatch(/absolute path/);
  }
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(dir).filter((name) => name.includes('kubewright'))).toEqual([]);
});

test('upload: a connection lost on the way does not replace the file by half of it', async () => {
  const server = await start('free');
  const { open, pool: own } = pool(server);
  const session = await open();
  const path = join(dir, 'half');
  writeFileSync(path, 'old');
  const lost = failure(session.host.upload(path, Buffer.alloc(50_000_000, 'x'), { owner: me }));
  await expect.poll(() => readdirSync(dir).some((name) => name.startsWith('.half.kubewright'))).toBe(true);
  server.drop();
  expect((await lost).code).toBe('SSH_CONNECTION_LOST');
  await expect.poll(() => readdirSync(dir).some((name) => name.startsWith('.half.kubewright'))).toBe(false);
  expect(readFileSync(path, 'utf8')).toBe('old');
  await own.close();
});

test('another user uses sudo by default', async () => {
  const session = await made.open({ user: 'admin' });
  await session.host.exec(['true']);
  expect(sshd.lines.at(-1)).toMatch(/\nexec sudo -n -- \/usr\/bin\/env -i .* sh -c /);
  await session.host.exec(['true'], { sudo: false });
  expect(sshd.lines.at(-1)).toMatch(/\nexec \/usr\/bin\/env -i .* sh -c /);
  const error = await failure(session.host.exec(['sleep', `1005.${OWN}7`], { timeoutMs: 100 }));
  expect(error.code).toBe('COMMAND_TIMEOUT');
  expect(running(`1005.${OWN}`)).toEqual([]);
});

test('sudo with a password: on standard input only, and never left to the command', async () => {
  for (const mode of ['ask', 'free']) {
    const server = await start(mode);
    const { open, hostKeys, pool: own } = pool(server);
    hostKeys.sure.add('test/host-1');
    const session: HostSession = await open({ user: 'admin', credential: { name: 'password' } });
    expect((await session.host.exec(['cat'], { stdin: 'for the command\n' })).stdout).toBe('for the command\n');
    expect((await session.host.exec(['cat'])).stdout).toBe('');
    expect((await session.host.script('echo "$1"', ['x'])).stdout).toBe('x\n');
    expect((await failure(session.host.exec(['sleep', `1006.${OWN}7`], { timeoutMs: 100 }))).code).toBe(
      'COMMAND_TIMEOUT',
    );
    expect(running(`1006.${OWN}`)).toEqual([]);
    expect(server.lines.join()).not.toContain('right one');
    await own.close();
  }
});

test('a refusal of sudo is not reported as a failed command', async () => {
  const server = await start('ask');
  const { open, pool: own } = pool(server);
  const session = await open({ user: 'admin' });
  const error = await failure(session.host.exec(['true'], { okCodes: 'any' }));
  expect(error).toMatchObject({ code: 'SUDO_REFUSED', host: 'host-1' });
  expect(error.evidence).toMatch(/password is required/);
  expect((await session.host.exec(['true'], { sudo: false })).code).toBe(0);
  await own.close();
});

test('a command line that no host would take is refused here', async () => {
  expect((await failure(host.exec(['echo', 'x'.repeat(200_000)]))).message).toMatch(/longer than/);
});
