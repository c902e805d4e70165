import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { ResolvedFile } from '../../activities/artifacts/source.ts';
import { fenceToken } from '../../activities/host/fence.ts';
import type { HostSession, RemoteHost } from '../../activities/host/types.ts';
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
import { type Resource, secretText } from '../../activities/resources/resource.ts';
import { service } from '../../activities/resources/service.ts';
import { swapOff } from '../../activities/resources/swap-off.ts';
import { symlink } from '../../activities/resources/symlink.ts';
import { sysctls } from '../../activities/resources/sysctls.ts';
import { user } from '../../activities/resources/user.ts';
import { type TestPool, testPool } from '../fakes/test-pool.ts';
import { onHost } from './support.ts';
import { DyingHost, deaths } from './support-dying-host.ts';

/**
 * A task's remote commands are killed at every kind of point, and the task runs again: the host ends as if nothing had
 * happened, and a further run finds nothing to do.
 */

const ROOT = '/opt/kubewright-repeat-test';
const UNIT = 'kubewright-repeat-test';
const POINTS = 8;

const lab = inject('lab');
const target = lab.hosts.at(-1)!;
const local = mkdtempSync(join(tmpdir(), 'kubewright-repeat-'));
const served = new Map<string, Buffer>();
let mirror: Server;
let pool: TestPool;
let round = 0;

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
});
afterAll(async () => {
  await clean();
  await onHost(lab, target.name, 'rm -rf /var/lib/kubewright/fence/test /run/kubewright/fence/test /run/kwtest-steps');
  await pool.pool.close();
  await new Promise((resolve) => mirror.close(resolve));
  rmSync(local, { recursive: true, force: true });
});

/** The host as it was. */
const clean = (): Promise<string> =>
  onHost(
    lab,
    target.name,
    `systemctl disable --quiet --now "$2" 2>/dev/null || :
    rm -rf "$1" "/etc/systemd/system/$2.service" "/etc/systemd/system/$2.service.d" /etc/sysctl.d/90-"$2".conf /etc/modules-load.d/"$2".conf
    rm -rf /var/lib/kubewright/stamps /var/lib/kubewright/artifacts
    sed -i '/^# kubewright begin/,/^# kubewright end/d' /etc/hosts
    printf '%s\\n' '# a comment' '/dev/none none swap sw 0 0' 'tmpfs /opt/none tmpfs noauto 0 0' >/etc/fstab
    rm -f /etc/fstab.kubewright-orig
    sysctl -q -w net.ipv4.conf.all.log_martians=0
    userdel "$2" 2>/dev/null || :
    groupdel "$2" 2>/dev/null || :
    systemctl daemon-reload`,
    ROOT,
    UNIT,
  );

/** What the resources leave: every file with its attributes and content, accounts, the unit, settings, and leftovers of ours. */
const digest = (): Promise<string> =>
  onHost(
    lab,
    target.name,
    `cd /
    find "$1" /etc/systemd/system /etc/sysctl.d /etc/modules-load.d /etc/hosts /etc/hostname /etc/fstab* -printf '%p %y %m %u %g %l\\n' | sort
    find "$1" /etc/systemd/system /etc/sysctl.d /etc/modules-load.d /etc/hosts /etc/hostname /etc/fstab* -type f -exec sha256sum {} + | sort -k2
    grep "^$2:" /etc/passwd | cut -d: -f2,5-; grep "^$2:" /etc/shadow | cut -d: -f2; grep -c "^$2:" /etc/group
    systemctl show -p ActiveState,UnitFileState,NeedDaemonReload "$2"
    sysctl net.ipv4.conf.all.log_martians
    find / -xdev -path /proc -prune -o -path '/var/lib/kubewright/fence' -prune -o -name '*kubewright*' -printf '%p %y\\n' | sort
    find /run -name 'kubewright*' -o -path '/run/kubewright*' -name 'tmp*' | sort
    cat /var/lib/kubewright/stamps/*`,
    ROOT,
    UNIT,
  );

/** Each run is an attempt of its own, which claims the host as a task's does. */
async function attempt(): Promise<HostSession> {
  round += 1;
  return pool.open({}, { fence: { scope: UNIT, token: fenceToken('op', round, 1) } });
}

async function run(resources: readonly Resource[], dieAt?: number): Promise<Convergence> {
  const { host, facts } = await attempt();
  const remote = dieAt === undefined ? host : new DyingHost(host, dieAt);
  const signal = new AbortController().signal;
  const outcome = await converge({ remote, resources, facts, mode: 'apply', phase: UNIT, signal });
  await markVerified(remote, UNIT, outcome.desiredDigest);
  return outcome;
}

function serve(path: string, body: Buffer): ResolvedFile {
  served.set(path, body);
  const url = `http://${lab.gateway}:${(mirror.address() as AddressInfo).port}${path}`;
  return { name: 'tool', version: '1.0.0', url, sha256: sha256(body), size: body.length, kind: 'binary' };
}

/** One of every kind, as version `n` of it. */
function everything(n: number): Resource[] {
  writeFileSync(join(local, 'member'), `#!/bin/sh\necho from archive ${n}\n`, { mode: 0o755 });
  writeFileSync(join(local, 'second'), `${n}\n`);
  const tgz = execFileSync('tar', ['-cz', '--mtime=@0', '-C', local, 'member', 'second']);
  return [
    hostnameIs(target.name),
    hostsEntries([{ address: `10.9.8.${n}`, names: ['one.test', 'one'] }]),
    kernelModules(['overlay'], { file: `/etc/modules-load.d/${UNIT}.conf` }),
    sysctls({ 'net.ipv4.conf.all.log_martians': n % 2 }, { file: `/etc/sysctl.d/90-${UNIT}.conf` }),
    swapOff(),
    user(UNIT, { home: ROOT }),
    directory(`${ROOT}/data`, { mode: 0o700, owner: UNIT, group: UNIT }),
    artifact(serve(`/tool-${n}`, Buffer.from(`#!/bin/sh\n# ${n}\nexec sleep infinity\n`)), {
      path: `${ROOT}/bin/tool`,
    }),
    archive(serve(`/a-${n}.tgz`, tgz), { into: `${ROOT}/bin`, members: { member: 'member', second: 'second' } }),
    file(`${ROOT}/etc/conf`, `a=${n}\n`),
    file(`${ROOT}/etc/key`, secretText('top secret value'), { mode: 0o600, owner: UNIT, group: UNIT }),
    symlink(`${ROOT}/etc/link`, n === 1 ? 'conf' : 'key'),
    absent(`${ROOT}/etc/${n === 1 ? 'nothing' : 'conf.old'}`),
    service(UNIT, {
      unit: `[Unit]\nDescription=${n}\n[Service]\nExecStartPre=sleep 0.3\nExecStart=${ROOT}/bin/tool\nUser=${UNIT}\n[Install]\nWantedBy=multi-user.target\n`,
      dropIns: { 'more.conf': `[Service]\nEnvironment=N=${n}\n` },
      restartOn: [`${ROOT}/bin/tool`, `${ROOT}/etc/conf`, `${ROOT}/bin/member`],
    }),
  ];
}

describe.each([
  { what: 'a first build', from: null, to: 1 },
  { what: 'an update of everything', from: 1, to: 2 },
])('$what, killed in the middle', ({ from, to }) => {
  const start = async (): Promise<void> => {
    await clean();
    if (from !== null) await run(everything(from));
  };

  /**
   * Run until it dies at about the given one of so many steps; returns the step of its death. Loops that wait make the
   * number of commands vary: a run that was over before is repeated, to die at the same share of what it had.
   */
  const dieAt = async (host: RemoteHost, point: number, steps: number): Promise<number> => {
    for (let step = point, tries = 1; tries <= 6; tries += 1) {
      await start();
      await DyingHost.reset(host);
      const died = await run(everything(to), step).then(
        () => false,
        () => true,
      );
      if (died) return step;
      step = Math.max(1, Math.min(step - 1, Math.floor((step * (await DyingHost.steps(host))) / steps)));
    }
    throw new Error(`no run died at step ${point} of ${steps}, nor before`);
  };

  test(
    'ends as an undisturbed one, wherever it was killed, and then changes nothing',
    async () => {
      const { host } = await pool.open();
      await start();
      await DyingHost.reset(host);
      // The same scripts in the same shell, without a death: what the others are compared with.
      await run(everything(to), 1_000_000);
      const steps = await DyingHost.steps(host);
      const undisturbed = await digest();
      expect(steps).toBeGreaterThan(60);

      const points = deaths(steps, POINTS);
      for (const point of points) {
        const step = await dieAt(host, point, steps);
        const [again, more] = [await run(everything(to)), await run(everything(to))];
        expect({ step, after: await digest() }).toEqual({ step, after: undisturbed });
        expect({ step, changes: more.changes, restarts: more.restarts }).toEqual({ step, changes: [], restarts: [] });
        // What uses the changed files was started with them, however the death fell.
        expect(again.restarts.length).toBeLessThanOrEqual(1);
        const started = await onHost(
          lab,
          target.name,
          `pid=$(systemctl show -p MainPID --value ${UNIT}); tr '\\0' '\\n' <"/proc/$pid/environ" | grep '^N='; grep -c . "${ROOT}/bin/tool"`,
        );
        expect(started).toBe(`N=${to}\n3\n`);
      }
    },
    20 * 60_000,
  );
});
