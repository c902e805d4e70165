import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { CATALOGUE } from '../../activities/phases/catalogue.ts';
import type { TaskResult } from '../../contracts/operation.ts';
import { fillDisk, rebootHost, restoreDisk, startSshd, stopSshd } from '../../lab/faults.ts';
import { makePlan } from '../support/plans.ts';
import { makeBare, onHost, packageNames, type SpecDraft, startOnHost, Workbench } from './support.ts';
import { fillMirror, SmallMirror } from './support-mirror.ts';

/** Tasks on bare hosts, as a user with sudo: dry run, build, second build, and what gets in their way. */

const lab = inject('lab');
const bench = new Workbench(lab);
const mirror = new SmallMirror();
const hosts = lab.hosts.map(({ name }) => name);
const packages = new Map<string, string[]>();
/** What the dry run said that prepare would do. */
const preview = new Map<string, TaskResult>();

const asAdmin = (spec: SpecDraft) => {
  spec.ssh['user'] = 'admin';
  spec.artifacts = { mirror: mirror.url };
};
const onAll = (phase: string, mode: 'apply' | 'check' = 'apply'): Promise<TaskResult[]> =>
  Promise.all(hosts.map((host) => bench.run({ phase, host, mode, change: asAdmin })));

beforeAll(async () => {
  await bench.open();
  fillMirror(mirror, bench.folder);
  for (const image of CATALOGUE.images)
    mirror.files.set(image.file(process.arch === 'arm64' ? 'arm64' : 'amd64').mirrorPath, Buffer.from(image.name));
  await mirror.start(lab.gateway);
  await Promise.all(
    hosts.map(async (host) => {
      packages.set(host, await packageNames(lab, host));
      await makeBare(lab, host, packages.get(host)!);
    }),
  );
});
afterAll(async () => {
  await Promise.all(hosts.map((host) => makeBare(lab, host, packages.get(host) ?? [])));
  await mirror.stop();
  await bench.close();
});

describe('a build', () => {
  /** Everything that a phase could leave: files with owner, mode, size, time and content; packages; units; settings. */
  const digest = (host: string) =>
    onHost(
      lab,
      host,
      `find /etc /usr/local /var/lib /opt /root -path /var/lib/systemd -prune -o -printf '%p %m %u %g %s %T@ %l\\n' | sort
      find /etc /usr/local -type f -exec sha256sum {} + | sort -k2
      dpkg -l
      systemctl list-units --all --plain --no-legend --type=service,timer | grep -Ev '^(user|session|run-|systemd-)' | awk '{print $1, $3}'
      sysctl -a 2>/dev/null | grep -E '^net.(ipv4.ip_forward|bridge|ipv4.conf.all)'
      ip -o link | sed 's/ state .*//'
      cat /proc/sys/kernel/hostname`,
    );

  test('dry run of every phase on bare hosts lists the changes and makes none', async () => {
    const before = await Promise.all(hosts.map(digest));
    const spec = bench.spec(asAdmin);
    const operation = {
      kind: 'build',
      mode: 'check',
      actor: { name: 'test', role: 'admin' },
      specRef: '0'.repeat(64),
    } as const;
    const plan = makePlan({ ...operation, cluster: lab.name, operationId: 'op', requestId: 'r' }, spec, [
      ...bench.deps.phases.values(),
    ]);
    const changed: string[] = [];
    for (const { name, hosts: where } of plan.phases) {
      const results = await Promise.all(
        where.map((host) => bench.run({ phase: name, host, mode: 'check', change: asAdmin })),
      );
      results.forEach((result, index) => {
        if (name === 'prepare') preview.set(where[index]!, result);
        if (result.changeCount > 0) changed.push(`${name} ${where[index]}`);
      });
    }
    expect(changed).toEqual(
      expect.arrayContaining(['prepare cp-1', 'prepare worker-1', 'chrony cp-1', 'runtime worker-1']),
    );
    expect(await Promise.all(hosts.map(digest))).toEqual(before);
    expect(await bench.store.secrets.list(`cluster/${lab.name}`)).toEqual([]);
  });

  test('succeeds for a user with sudo, and makes the changes of the dry run', async () => {
    await onAll('preflight');
    const prepared = await onAll('prepare');
    // By the claim of the first task, preflight's, the hosts carry the mark already.
    const marked = ['directory:/etc/kubewright', 'file:/etc/kubewright/cluster'];
    const expected = hosts.map((host) =>
      preview.get(host)?.changes.filter(({ resource }) => !marked.includes(resource)),
    );
    expect(prepared.map(({ changes }) => changes)).toEqual(expected);
    const [chrony] = await onAll('chrony');
    expect(chrony?.restarts).toEqual(['chrony']);
  });

  test('changes nothing a second time', async () => {
    const pids = () => Promise.all(hosts.map((host) => onHost(lab, host, 'systemctl show -p MainPID chrony.service')));
    const before = await pids();
    for (const phase of ['preflight', 'prepare', 'chrony']) {
      for (const result of await onAll(phase)) {
        expect(result).toMatchObject({ changes: [], changeCount: 0, restarts: [] });
        // One look, which claims on its way; preflight reads the facts as well.
        expect(result.commands).toBe(phase === 'preflight' ? 2 : 1);
      }
    }
    expect(await pids()).toEqual(before);
  });

  test('puts right what was changed by hand, and no more', async () => {
    await onHost(
      lab,
      'worker-1',
      'echo "net.ipv4.ip_forward = 0" >/etc/sysctl.d/zz-kubewright.conf; sed -i "/registry.kubewright/d" /etc/hosts',
    );
    const result = await bench.run({ phase: 'prepare', host: 'worker-1', change: asAdmin });
    expect(result.changes.map(({ resource }) => resource).sort()).toEqual([
      'hosts-entries:/etc/hosts',
      'sysctls:/etc/sysctl.d/zz-kubewright.conf',
    ]);
    expect((await bench.run({ phase: 'prepare', host: 'worker-1', change: asAdmin })).changes).toEqual([]);
  });

  test('succeeds for a user with a sudo password; no record contains the password', async () => {
    const password = readFileSync(lab.users.operator.passwordFile, 'utf8').trim();
    await bench.store.credentials.put('operator', { kind: 'password', password, clusters: [lab.name] });
    const change = (spec: SpecDraft) => {
      asAdmin(spec);
      spec.ssh['user'] = 'operator';
      spec.ssh['credential'] = { name: 'operator' };
    };
    // The last rule that fits wins.
    await onHost(
      lab,
      'worker-1',
      `rm -f /etc/sysctl.d/zz-kubewright.conf /etc/chrony/kubewright.conf
      echo 'operator ALL=(ALL) ALL' >/etc/sudoers.d/zz-password`,
    );
    try {
      for (const phase of ['preflight', 'prepare', 'chrony']) await bench.run({ phase, host: 'worker-1', change });
      for (const phase of ['preflight', 'prepare', 'chrony']) {
        expect((await bench.run({ phase, host: 'worker-1', change })).changes).toEqual([]);
      }
    } finally {
      await onHost(lab, 'worker-1', 'rm /etc/sudoers.d/zz-password');
    }
    const recorded = readdirSync(bench.folder).filter((name) => name.startsWith('kubewright.db'));
    expect(recorded).not.toEqual([]);
    for (const name of recorded) expect(readFileSync(join(bench.folder, name)).includes(password)).toBe(false);
  });
});

describe('the package manager', () => {
  const HOST = 'worker-1';
  /** One small package more than the host has. */
  const withTree = {
    phase: 'prepare',
    host: HOST,
    change: (spec: SpecDraft) => {
      asAdmin(spec);
      spec.phases['prepare'] = { packages: ['tree'] };
    },
  };
  const isInstalled = (name: string) =>
    onHost(lab, HOST, `dpkg-query -W -f '\${db:Status-Status}' "$1" 2>/dev/null || :`, name);
  let release = async (): Promise<void> => {};

  /** Holds a lock as apt and dpkg do: a POSIX record lock. */
  const lock = async (path: string, seconds: string): Promise<void> => {
    const perl = `use Fcntl; open my $f, '>>', shift or die; my $l = pack('s! s! x![q] q q i x4', F_WRLCK, 0, 0, 0, 0); fcntl($f, F_SETLK, $l) or die; open my $r, '>', '/run/kwtest-lock'; close $r; sleep shift`;
    await onHost(lab, HOST, 'rm -f /run/kwtest-lock');
    release = await startOnHost(lab, HOST, {
      unit: 'kwtest-lock',
      argv: ['perl', '-e', perl, path, seconds],
      ready: 'test -e /run/kwtest-lock',
    });
  };

  beforeAll(() => bench.run({ phase: 'prepare', host: HOST, change: asAdmin }));
  afterEach(async () => {
    await release();
    await onHost(lab, HOST, 'rm -f /run/kwtest-*; dpkg --purge --force-all tree kwtest-halfway >/dev/null 2>&1 || :');
  });

  test('is held by another process for a while: the task waits', async () => {
    await lock('/var/lib/dpkg/lock-frontend', '3');
    expect((await bench.run(withTree)).changeCount).toBe(1);
    expect(await isInstalled('tree')).toBe('installed');
  });

  test('is held by another process for good', async () => {
    await lock('/var/cache/apt/archives/lock', '600');
    await bench.stops(withTree, {
      code: 'PACKAGE_MANAGER_BUSY',
      retryable: true,
      cause: /apt could not install tree/,
      evidence: /Could not get lock \/var\/cache\/apt\/archives\/lock.* held by process \d+ \(perl\)/,
    });
    await release();
    expect((await bench.run(withTree)).changeCount).toBe(1);
  });

  test('has no room for what it downloads', async () => {
    await onHost(lab, HOST, 'apt-get clean');
    await fillDisk(lab, HOST, '/var/cache/apt/archives', 4096);
    try {
      await bench.stops(withTree, {
        code: 'DISK_FULL',
        retryable: false,
        cause: /apt could not install tree/,
        evidence: /\/var\/cache\/apt\/archives/,
      });
    } finally {
      await restoreDisk(lab, HOST, '/var/cache/apt/archives');
    }
    expect((await bench.run(withTree)).changeCount).toBe(1);
  });

  test('cannot reach its sources', async () => {
    const conf = '/etc/apt/apt.conf.d/99kwtest';
    await onHost(
      lab,
      HOST,
      `apt-get clean; printf 'Acquire::http::Proxy "http://127.0.0.1:9";\nAcquire::https::Proxy "http://127.0.0.1:9";\n' >"$1"`,
      conf,
    );
    try {
      await bench.stops(withTree, {
        code: 'PACKAGE_INSTALL_FAILED',
        retryable: true,
        cause: /apt could not install tree/,
        evidence: /127\.0\.0\.1:9|Failed to fetch/,
      });
    } finally {
      await onHost(lab, HOST, 'rm "$1"', conf);
    }
    expect((await bench.run(withTree)).changeCount).toBe(1);
  });

  test('was interrupted half-way through: it is repaired first', async () => {
    // The script of a package kills dpkg, the first time.
    await onHost(
      lab,
      HOST,
      `d=$(mktemp -d); mkdir $d/DEBIAN
      printf '%s\\n' 'Package: kwtest-halfway' 'Version: 1' 'Architecture: all' 'Maintainer: test <test@example.com>' 'Description: test' >$d/DEBIAN/control
      printf '#!/bin/sh\\n[ -e /run/kwtest-once ] || { : >/run/kwtest-once; kill -9 $PPID; sleep 1; }\\n' >$d/DEBIAN/postinst
      chmod 755 $d $d/DEBIAN $d/DEBIAN/postinst
      dpkg-deb --build $d /run/kwtest-halfway.deb >/dev/null; rm -r $d
      if dpkg -i /run/kwtest-halfway.deb >/dev/null 2>&1; then exit 1; fi`,
    );
    expect(await isInstalled('kwtest-halfway')).not.toBe('installed');
    expect((await bench.run(withTree)).changeCount).toBe(1);
    expect(await isInstalled('tree')).toBe('installed');
    expect(await isInstalled('kwtest-halfway')).toBe('installed');
  });

  test('ends with a task that is aborted; the next run converges', async () => {
    await lock('/var/lib/dpkg/lock-frontend', '600');
    const running = () => onHost(lab, HOST, 'pgrep -x apt-get || :');
    const abort = new AbortController();
    const task = bench.stops(
      { ...withTree, signal: abort.signal },
      { code: 'COMMAND_ABORTED', retryable: true, cause: /stopped/ },
    );
    await expect.poll(running, { timeout: 20_000 }).not.toBe('');
    abort.abort();
    await task;
    await expect.poll(running, { timeout: 10_000 }).toBe('');
    expect(await isInstalled('tree')).not.toBe('installed');
    await release();
    expect((await bench.run(withTree)).changeCount).toBe(1);
    expect(await isInstalled('tree')).toBe('installed');
  });

  test('continues when sshd dies during a task; the next run does not wait and converges', async () => {
    await lock('/var/lib/dpkg/lock-frontend', '600');
    const running = () => onHost(lab, HOST, 'pgrep -x apt-get || :');
    const task = bench.stops(withTree, {
      code: 'SSH_CONNECTION_LOST',
      retryable: true,
      cause: /the connection to worker-1 was lost/,
    });
    await expect.poll(running, { timeout: 20_000 }).not.toBe('');
    await stopSshd(lab, HOST);
    try {
      await task;
    } finally {
      await startSshd(lab, HOST);
    }
    // What the lost connection left behind waits for the lock still: the retry ends it first.
    const orphan = await running();
    const retried = bench.run(withTree);
    if (orphan !== '') await expect.poll(running, { timeout: 20_000 }).not.toContain(orphan);
    await release();
    expect((await retried).changeCount).toBe(1);
    expect(await isInstalled('tree')).toBe('installed');
  });

  test('ends with the host, which reboots; the next run converges', async () => {
    await lock('/var/lib/dpkg/lock-frontend', '600');
    const task = bench.stops(withTree, {
      code: 'SSH_CONNECTION_LOST',
      retryable: true,
      cause: /the connection to worker-1 was lost/,
    });
    await expect.poll(() => onHost(lab, HOST, 'pgrep -x apt-get || :'), { timeout: 20_000 }).not.toBe('');
    await Promise.all([task, rebootHost(lab, HOST)]);
    expect((await bench.run(withTree)).changes.map(({ detail }) => detail)).toEqual(['tree']);
    expect((await bench.run(withTree)).changes).toEqual([]);
  });
});
