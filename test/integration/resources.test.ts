import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { ResolvedFile } from '../../activities/artifacts/source.ts';
import type { HostSession } from '../../activities/host/types.ts';
import { absent } from '../../activities/resources/absent.ts';
import { archive } from '../../activities/resources/archive.ts';
import { artifact } from '../../activities/resources/artifact.ts';
import { sha256 } from '../../activities/resources/digest.ts';
import { directory } from '../../activities/resources/directory.ts';
import { type Convergence, converge, markVerified } from '../../activities/resources/engine/engine.ts';
import { file } from '../../activities/resources/file.ts';
import { hostnameIs } from '../../activities/resources/hostname.ts';
import { hostsEntries } from '../../activities/resources/hosts-entries.ts';
import { kernelModules } from '../../activities/resources/kernel-modules.ts';
import { packages } from '../../activities/resources/packages.ts';
import { type Resource, secretText } from '../../activities/resources/resource.ts';
import { service } from '../../activities/resources/service.ts';
import { swapOff } from '../../activities/resources/swap-off.ts';
import { symlink } from '../../activities/resources/symlink.ts';
import { sysctls } from '../../activities/resources/sysctls.ts';
import { user } from '../../activities/resources/user.ts';
import { type TestPool, testPool } from '../fakes/test-pool.ts';

/** Everything of this test on the host lives below it, or carries this name. */
const ROOT = '/opt/kubewright-engine-test';
const UNIT = 'kubewright-engine-test';

const lab = inject('lab');
const target = lab.hosts.at(-1)!;
const local = mkdtempSync(join(tmpdir(), 'kubewright-engine-'));
const served = new Map<string, Buffer>();
let mirror: Server;
let pool: TestPool;
let session: HostSession;
let steps: string[] = [];

beforeAll(async () => {
  mirror = createServer((request, response) => {
    const body = served.get(request.url ?? '');
    response.writeHead(body ? 200 : 404).end(body);
  });
  await new Promise<void>((resolve) => mirror.listen(0, lab.gateway, resolve));
  pool = testPool(
    { key: { kind: 'key', privateKey: readFileSync(lab.sshKey, 'utf8') } },
    { address: target.address, port: target.port, hostKey: target.hostKey },
  );
  // With sudo: root is the easier case.
  session = await pool.open({ user: 'admin' });
  await clean();
});

afterAll(async () => {
  await clean();
  await pool.pool.close();
  await new Promise((resolve) => mirror.close(resolve));
  rmSync(local, { recursive: true, force: true });
});

/** The host as it was. */
async function clean(): Promise<void> {
  await session.host.script(
    `systemctl disable --now "$2" 2>/dev/null || :
umount "$1/small" 2>/dev/null || :
rm -rf "$1" "/etc/systemd/system/$2.service" "/etc/systemd/system/$2.service.d" /etc/sysctl.d/90-"$2".conf /etc/modules-load.d/"$2".conf
rm -f /var/lib/kubewright/stamps/unit."$2".service /var/lib/kubewright/artifacts/opt-"$2"*
sed -i '/^# kubewright begin/,/^# kubewright end/d' /etc/hosts
sysctl -q -w net.ipv4.conf.all.log_martians=0
userdel "$2" 2>/dev/null || :
dpkg --purge tree 2>/dev/null || :
systemctl daemon-reload`,
    [ROOT, UNIT],
  );
}

async function run(
  resources: readonly Resource[],
  more: Partial<Parameters<typeof converge>[0]> = {},
): Promise<Convergence> {
  steps = [];
  const { host: remote, facts } = session;
  const onStep = (step: string): void => void steps.push(step);
  return converge({
    remote,
    resources,
    facts,
    mode: 'apply',
    phase: UNIT,
    signal: new AbortController().signal,
    onStep,
    ...more,
  });
}

function serve(path: string, body: Buffer, more: Partial<ResolvedFile> = {}): ResolvedFile {
  served.set(path, body);
  const url = `http://${lab.gateway}:${(mirror.address() as AddressInfo).port}${path}`;
  return { name: 'tool', version: '1.0.0', url, sha256: sha256(body), size: body.length, kind: 'binary', ...more };
}

const commandsSince = (count: number): number => pool.recorder.entries.length - count;
const read = async (path: string): Promise<string> => (await session.host.exec(['cat', path])).stdout;

describe('every kind on a real host', () => {
  test('is applied once, and then nothing is left to do', async () => {
    writeFileSync(join(local, 'member'), '#!/bin/sh\necho from the archive\n', { mode: 0o755 });
    const tgz = execFileSync('tar', ['-cz', '-C', local, 'member']);
    const resources = [
      packages(['tree'], []),
      hostnameIs(session.facts.hostname),
      hostsEntries([{ address: '10.9.8.7', names: ['one.test', 'one'] }]),
      kernelModules(['overlay', 'br_netfilter'], { file: `/etc/modules-load.d/${UNIT}.conf` }),
      sysctls({ 'net.ipv4.conf.all.log_martians': 1 }, { file: `/etc/sysctl.d/90-${UNIT}.conf` }),
      swapOff(),
      user(UNIT, { home: ROOT }),
      directory(`${ROOT}/data`, { mode: 0o700, owner: UNIT, group: UNIT }),
      artifact(serve('/tool', Buffer.from('#!/bin/sh\nexec sleep infinity\n')), { path: `${ROOT}/bin/tool` }),
      archive(serve('/a.tgz', tgz), { into: `${ROOT}/bin`, members: { member: 'member' } }),
      file(`${ROOT}/etc/conf`, 'a=1\n'),
      file(`${ROOT}/etc/key`, secretText('top secret value'), { mode: 0o600, owner: UNIT, group: UNIT }),
      symlink(`${ROOT}/etc/link`, 'conf'),
      absent(`${ROOT}/etc/nothing`),
      service(UNIT, {
        unit: `[Service]\nExecStart=${ROOT}/bin/tool\nUser=${UNIT}\n[Install]\nWantedBy=multi-user.target\n`,
        restartOn: [`${ROOT}/bin/tool`, `${ROOT}/etc/conf`, `${ROOT}/bin/member`],
      }),
    ];
    const check = await run(resources, { mode: 'check' });
    const first = await run(resources);
    expect(first.changes).toEqual(check.changes);
    expect(first.restarts).toEqual([UNIT]);
    expect(steps).toEqual([
      'probe',
      'apply stamps',
      'apply packages:tree',
      'apply hosts-entries:/etc/hosts (+4)',
      `apply artifact:${ROOT}/bin/tool (+1)`,
      `apply file:${ROOT}/etc/conf (+3)`,
    ]);
    expect(await read('/etc/hosts')).toContain('10.9.8.7 one.test one');
    expect(await read('/proc/sys/net/ipv4/conf/all/log_martians')).toBe('1\n');
    expect(await read(`${ROOT}/etc/link`)).toBe('a=1\n');
    expect((await session.host.exec([`${ROOT}/bin/member`])).stdout).toBe('from the archive\n');
    expect((await session.host.exec(['stat', '-c', '%a %U', `${ROOT}/etc/key`])).stdout).toBe(`600 ${UNIT}\n`);
    expect((await session.host.exec(['systemctl', 'is-active', UNIT])).stdout).toBe('active\n');
    expect(JSON.stringify(pool.recorder.entries)).not.toContain('top secret value');

    const before = pool.recorder.entries.length;
    const pid = await session.host.exec(['systemctl', 'show', '-p', 'MainPID', UNIT]);
    const second = await run(resources);
    expect(second.changes).toEqual([]);
    expect(commandsSince(before)).toBe(2);
    expect(await session.host.exec(['systemctl', 'show', '-p', 'MainPID', UNIT])).toMatchObject({ stdout: pid.stdout });

    await markVerified(session.host, UNIT, second.desiredDigest);
    expect((await run(resources)).verified).toBe(true);
  });
});

describe('crashes and faults', () => {
  const conf = `${ROOT}/crash.conf`;
  const slow = (content: string) => [
    file(conf, content),
    service(UNIT, {
      unit: '[Service]\nExecStartPre=sleep 3\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n',
      restartOn: [conf],
    }),
  ];

  test('an apply that was interrupted is finished by the next run, with its restart', async () => {
    await run(slow('1'));
    const abort = new AbortController();
    const cut = await pool.open({ user: 'admin' }, { signal: abort.signal });
    // Cut when the file is new and the restart not yet through.
    const watch = (async () => {
      while (!(await read(conf)).startsWith('2')) await new Promise((resolve) => setTimeout(resolve, 50));
      abort.abort();
    })();
    await expect(run(slow('2'), { remote: cut.host, signal: abort.signal })).rejects.toBeDefined();
    await watch;
    const resumed = await run(slow('2'));
    expect(resumed.restarts).toEqual([UNIT]);
    expect((await run(slow('2'))).changes).toEqual([]);
  });

  test('a wrong checksum stops before anything is replaced', async () => {
    const path = `${ROOT}/bin/checked`;
    await run([artifact(serve('/v1', Buffer.from('v1')), { path })]);
    const wrong = { ...serve('/v2', Buffer.from('not v2')), sha256: sha256('v2') };
    await expect(run([artifact(wrong, { path })])).rejects.toMatchObject({
      code: 'ARTIFACT_CHECKSUM_MISMATCH',
      evidence: expect.stringContaining(sha256('not v2')),
    });
    expect(await read(path)).toBe('v1');
  });

  test('a full disk is reported with its numbers: before a download, during it, and for a file', async () => {
    const small = `${ROOT}/small`;
    await session.host.script('mkdir -p "$1" && mount -t tmpfs -o size=6m none "$1"', [small]);
    const big = serve('/big', Buffer.alloc(8 * 1024 * 1024, 7));
    for (const resource of [
      artifact(big, { path: `${small}/known` }),
      artifact({ ...big, size: 0 }, { path: `${small}/unknown` }),
      file(`${small}/text`, 'x'.repeat(7 * 1024 * 1024)),
    ]) {
      await expect(run([resource])).rejects.toMatchObject({
        code: 'DISK_FULL',
        evidence: expect.stringContaining('kubewright-engine-test/small'),
      });
    }
    expect((await session.host.exec(['ls', '-A', small])).stdout).toBe('');
  });

  test('a missing kernel feature, an unknown package and a broken unit have names of their own', async () => {
    await expect(
      run([kernelModules(['no_such_module_here'], { file: `/etc/modules-load.d/${UNIT}.conf` })]),
    ).rejects.toMatchObject({
      code: 'KERNEL_FEATURE_MISSING',
      message: expect.stringContaining('no_such_module_here'),
    });
    await expect(run([packages(['kubewright-no-such-package'], [])])).rejects.toMatchObject({
      code: 'PACKAGE_INSTALL_FAILED',
      evidence: expect.stringContaining('Unable to locate package'),
    });
    const broken = service(UNIT, { unit: `[Service]\nType=notify\nExecStart=sh -c 'echo cannot bind; exit 3'\n` });
    await expect(run([broken])).rejects.toMatchObject({
      code: 'UNIT_FAILED',
      evidence: expect.stringContaining('cannot bind'),
    });
  });
});
