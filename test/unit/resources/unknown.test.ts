import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quote } from '../../../activities/host/quote.ts';
import { packetFilterBaseline } from '../../../activities/kube/packet-filter.ts';
import { registryImage } from '../../../activities/phases/registry/image-resource.ts';
import { absent } from '../../../activities/resources/absent.ts';
import { archive } from '../../../activities/resources/archive.ts';
import { artifact } from '../../../activities/resources/artifact.ts';
import { sha256 } from '../../../activities/resources/digest.ts';
import { directory } from '../../../activities/resources/directory.ts';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { probe, probeScript, readAnswer, splitProbe } from '../../../activities/resources/engine/probe.ts';
import { kindOf } from '../../../activities/resources/engine/resource-kinds.ts';
import { file } from '../../../activities/resources/file.ts';
import { firewalldRules } from '../../../activities/resources/firewalld-rules.ts';
import { hostsEntries } from '../../../activities/resources/hosts-entries.ts';
import { kernelModules } from '../../../activities/resources/kernel-modules.ts';
import { manifests } from '../../../activities/resources/manifests.ts';
import { packages } from '../../../activities/resources/packages.ts';
import { IMAGE_STAMP_DIR, stampName } from '../../../activities/resources/paths.ts';
import { type Resource, resourceKey } from '../../../activities/resources/resource.ts';
import { service } from '../../../activities/resources/service.ts';
import { symlink } from '../../../activities/resources/symlink.ts';
import { sysctls } from '../../../activities/resources/sysctls.ts';
import type { Answer } from '../../../activities/resources/unknown.ts';
import { user } from '../../../activities/resources/user.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
});
afterEach(() => host.dispose());

const ask = async (resource: Resource): Promise<Answer> =>
  (await probe(host, [resource], { phase: 'test' })).byResource.get(resourceKey(resource))!;
const run = (resources: readonly Resource[], mode: 'apply' | 'check' = 'apply', totalMs = 200) =>
  converge({
    remote: host,
    resources,
    facts: FACTS,
    mode,
    phase: 'test',
    signal: new AbortController().signal,
    retries: { totalMs, pauseMs: 10 },
  });

const FILE = { name: 't', version: '1', url: 'http://m/t', sha256: 'a'.repeat(64), size: 5, kind: 'binary' } as const;

/** A program that fails with these words and this code. */
const failing = (name: string, words: string, code: number) => host.program(name, `echo "${words}" >&2; exit ${code}`);

describe.skipIf(!RUNS_HERE)('a path that cannot be read is unknown', () => {
  const kinds = (): Resource[] => [
    absent(host.path('a/b/c')),
    archive(FILE, { into: host.path('a'), members: { x: 'x' } }),
    artifact(FILE, { path: host.path('a') }),
    directory(host.path('a')),
    file(host.path('a'), 'x'),
    hostsEntries([{ address: '10.0.0.1', names: ['a'] }]),
    kernelModules(['overlay'], { file: host.path('a') }),
    symlink(host.path('a'), 'x'),
    sysctls({ 'net.ipv4.ip_forward': 1 }, { file: host.path('a') }),
  ];

  it.each(['Input/output error', 'Stale file handle', 'Transport endpoint is not connected', 'Permission denied'])(
    'stat: %s',
    async (error) => {
      failing('stat', `stat: cannot statx 'x': ${error}`, 1);
      for (const resource of kinds()) {
        expect(await ask(resource), resource.kind).toMatchObject({ known: false, why: expect.stringContaining(error) });
      }
    },
  );

  it('its content as well', async () => {
    writeFileSync(host.path('a'), 'x');
    failing('sha256sum', 'sha256sum: -: Input/output error', 1);
    for (const resource of [file(host.path('a'), 'x'), artifact(FILE, { path: host.path('a') })]) {
      expect(await ask(resource)).toMatchObject({ known: false, why: expect.stringContaining('Input/output error') });
    }
    await expect(run([file(host.path('a'), 'y')])).rejects.toMatchObject({ code: 'STATE_UNKNOWN' });
    expect(readFileSync(host.path('a'), 'utf8')).toBe('x');
  });

  it('and does not affect those that are read with it', async () => {
    host.program(
      'stat',
      `case "$*" in *bad*) echo "stat: cannot statx 'bad': Input/output error" >&2; exit 1 ;; esac; exec /usr/bin/stat "$@"`,
    );
    const error = await run(['a', 'bad', 'b'].map((name) => file(host.path(name), 'x'))).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'STATE_UNKNOWN',
      message: expect.stringContaining(`file:${host.path('bad')}`),
    });
    expect(existsSync(host.path('a'))).toBe(true);
    expect(existsSync(host.path('b'))).toBe(false);
  });

  it('and a missing one is absent', async () => {
    mkdirSync(host.path('bin'), { recursive: true });
    expect(await ask(file(host.path('no/such/file'), 'x'))).toMatchObject({ known: true, state: { type: 'absent' } });
    expect(await ask(directory(host.path('none')))).toMatchObject({ known: true, state: { type: 'absent' } });
    expect(await ask(symlink(host.path('none'), 'x'))).toMatchObject({ known: true, state: { target: null } });
    expect(await ask(artifact(FILE, { path: host.path('none') }))).toMatchObject({
      known: true,
      state: { sha256: '' },
    });
  });
});

describe.skipIf(!RUNS_HERE)('a package database that cannot be read is unknown', () => {
  it('of dpkg, where a missing package is not installed', async () => {
    const resource = { ...packages(['chrony'], []), dnf: [] };
    failing('dpkg-query', 'dpkg-query: no packages found matching chrony', 1);
    expect(await ask(resource)).toMatchObject({ known: true });
    failing('dpkg-query', "dpkg-query: error: failed to open package info file '/var/lib/dpkg/status' for reading", 2);
    expect(await ask(resource)).toMatchObject({ known: false, why: expect.stringContaining('dpkg/status') });
  });

  it('of rpm, which calls everything "not installed" then', async () => {
    const resource = { ...packages(['chrony'], []), apt: [] };
    host.program('dnf', ':');
    failing('rpm', 'package chrony is not installed', 1);
    expect(await ask(resource)).toMatchObject({ known: true });
    failing('rpm', 'error: cannot open Packages database in /var/lib/rpm\npackage chrony is not installed', 1);
    expect(await ask(resource)).toMatchObject({ known: false, why: expect.stringContaining('Packages database') });
  });
});

it.skipIf(!RUNS_HERE)('a name service that does not answer makes no account', async () => {
  failing('getent', '', 2);
  expect(await ask(user('etcd'))).toMatchObject({ known: true, state: { exists: false } });
  failing('getent', '', 1);
  expect(await ask(user('etcd'))).toMatchObject({ known: false, why: 'getent passwd: exit code 1' });
});

describe.skipIf(!RUNS_HERE)('a unit is unknown', () => {
  const states = (active: string, sub: string) =>
    host.program(
      'systemctl',
      `case $1 in show) printf 'ActiveState=${active}\\nSubState=${sub}\\n' ;; *) echo "$*" >>"$LOG" ;; esac`,
    );

  it('when systemd does not answer, or only begins to', async () => {
    for (const words of [
      'Failed to connect to bus: Connection refused',
      'Failed to get properties: Connection timed out',
    ]) {
      failing('systemctl', words, 1);
      expect(await ask(service('x'))).toMatchObject({ known: false, why: words });
    }
    host.program('systemctl', 'printf "UnitFileState=enabled\\n"');
    expect(await ask(service('x'))).toMatchObject({ known: false });
  });

  it('while it starts or stops; not between two tries of one that fails, nor as a member that waits for its quorum', async () => {
    for (const [active, sub] of [
      ['activating', 'start-post'],
      ['deactivating', 'stop-sigterm'],
    ] as const) {
      states(active, sub);
      expect(await ask(service('x'))).toMatchObject({ known: false, why: `x.service is ${active}` });
    }
    states('activating', 'start');
    expect(await ask(service('x', { wait: false }))).toMatchObject({ known: true });
    expect((await run([service('x', { wait: false, enabled: false })])).changes).toEqual([]);
    states('activating', 'auto-restart');
    expect(await ask(service('x'))).toMatchObject({ known: true });
  });

  it('and one that is up a moment later is not restarted', async () => {
    host.program(
      'systemctl',
      `case $1 in show) echo asked >>"$LOG"; [ "$(wc -l <"$LOG")" -gt 2 ] && now=active || now=activating
printf 'ActiveState=%s\\nSubState=start\\nUnitFileState=enabled\\n' "$now" ;; *) echo "$*" >>"$LOG.verbs" ;; esac`,
    );
    expect((await run([service('x')], 'apply', 5_000)).changes).toEqual([]);
    expect(existsSync(host.path('log.verbs'))).toBe(false);
  });

  it('and one that is still starting after the timeout is restarted', async () => {
    states('activating', 'start');
    const { changes } = await run([service('x', { enabled: false })]);
    expect(changes).toMatchObject([{ action: 'start', detail: 'was activating' }]);
  });
});

describe.skipIf(!RUNS_HERE)('an image is pushed again only when the registry reports that it is missing', () => {
  const image = (tag: string) =>
    registryImage({
      file: FILE,
      registry: 'r.test:5000',
      repository: 'a',
      tag,
      tls: { ca: '/a', cert: '/b', key: '/c' },
    });
  const stamp = (tag: string) => {
    const { id } = image(tag);
    const path = host.local(`${IMAGE_STAMP_DIR}/${stampName(id, sha256(id))}.stamp`);
    mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
    writeFileSync(path, `${FILE.sha256} sha256:${'d'.repeat(64)}\n`);
  };
  const says = (status: string) =>
    host.program(
      'curl',
      `printf 'HTTP/2 ${status}\\r\\nDocker-Content-Digest: sha256:${'d'.repeat(64)}\\r\\n\\r\\n--- next ${status}\\n'`,
    );

  it.each(['401', '403', '429', '500', '502', '503', '504'])('HTTP %s leaves its state unknown', async (status) => {
    stamp('1');
    says(status);
    expect(await ask(image('1'))).toEqual({
      known: false,
      why: `the registry r.test:5000 answers HTTP ${status}`,
    });
  });

  it('nor does a registry that is starting, slow, or breaks off', async () => {
    stamp('1');
    for (const [words, code] of [
      ['curl: (7) Failed to connect to r.test port 5000: Connection refused', 7],
      ['curl: (28) Operation timed out after 5001 milliseconds', 28],
      ['curl: (52) Empty reply from server', 52],
      ['curl: (56) OpenSSL SSL_read: error:0A00045C', 56],
    ] as const) {
      failing('curl', words, code);
      expect(await ask(image('1'))).toMatchObject({ known: false, why: expect.stringContaining('curl:') });
    }
  });

  it('404 does, and 200 has it', async () => {
    stamp('1');
    says('404');
    expect(await ask(image('1'))).toMatchObject({ known: true });
    says('200');
    expect((await run([image('1')])).changes).toEqual([]);
    expect(await ask(image('2'))).toMatchObject({ known: true, state: { pushed: '' } });
  });

  it('all that are unknown are asked for together', async () => {
    for (const tag of ['1', '2', '3']) stamp(tag);
    host.program(
      'curl',
      `echo x >>"$LOG"; [ "$(wc -l <"$LOG")" -gt 1 ] || { echo refused >&2; exit 7; }
printf 'HTTP/2 200\\r\\nDocker-Content-Digest: sha256:${'d'.repeat(64)}\\r\\n\\r\\n--- next 200\\n'`,
    );
    expect((await run(['1', '2', '3'].map(image))).changes).toEqual([]);
    expect(host.ran).toHaveLength(2);
  });
});

describe.skipIf(!RUNS_HERE)('the engine', () => {
  const OBJECT = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'kube-system' } };
  const objects = () => manifests('x', [OBJECT], { kubeconfig: host.path('kubeconfig') });
  beforeEach(() => {
    writeFileSync(host.path('kubeconfig'), '');
    host.program(
      'kubectl',
      `case "$*" in *' diff '*) [ -e ${host.path('up')} ] || { echo "connection refused" >&2; exit 1; } ;; *) echo "$*" >>"$LOG" ;; esac`,
    );
  });

  it('makes the changes before it first: they may be what lets it answer', async () => {
    const resources = [file(host.path('up'), 'x'), objects(), file(host.path('after'), 'x')];
    const { changes } = await run(resources);
    expect(changes.map(({ resource }) => resource)).toEqual([`file:${host.path('up')}`, `file:${host.path('after')}`]);
    expect(existsSync(host.path('log'))).toBe(false);
    expect((await run(resources)).changes).toEqual([]);
  });

  it('fails with the cause after the timeout, and does not run later steps', async () => {
    await expect(run([file(host.path('before'), 'x'), objects(), file(host.path('after'), 'x')])).rejects.toMatchObject(
      {
        code: 'STATE_UNKNOWN',
        message: expect.stringContaining('manifests:x'),
        evidence: 'connection refused',
      },
    );
    expect(existsSync(host.path('before'))).toBe(true);
    expect(existsSync(host.path('after'))).toBe(false);
    expect(existsSync(host.path('log'))).toBe(false);
  });

  it('lists in a dry run what cannot be compared, and everything else', async () => {
    const { changes } = await run([file(host.path('before'), 'x'), objects()], 'check');
    expect(changes).toMatchObject([
      { action: 'create' },
      { resource: 'manifests:x', action: 'update', detail: 'cannot be compared now: connection refused' },
    ]);
    expect(existsSync(host.path('before'))).toBe(false);
  });

  it('forgets the stamp of a service that depends on what was changed before the wait', async () => {
    host.program(
      'systemctl',
      `case $1 in show) printf 'ActiveState=active\\nSubState=running\\nUnitFileState=enabled\\n' ;; *) echo "$*" >>"$LOG" ;; esac`,
    );
    const resources = (up: string) => [
      file(host.path('up'), up),
      objects(),
      service('a', { restartOn: [host.path('up')] }),
    ];
    await run(resources('1'));
    host.program(
      'kubectl',
      `case "$*" in *' diff '*) [ "$(cat ${host.path('up')})" = 2 ] || { echo "connection refused" >&2; exit 1; } ;; esac`,
    );
    expect((await run(resources('2'))).restarts).toEqual(['a']);
    expect((await run(resources('2'))).changes).toEqual([]);
  });
});

it.skipIf(!RUNS_HERE)('an answer that is cut off leaves the state of the rest unknown', async () => {
  writeFileSync(host.path('a'), 'x');
  const resources = [file(host.path('a'), 'x'), file(host.path('b'), 'x')];
  const { stdout } = await host.script(
    probeScript(
      resources.map((each) => kindOf(each).probe(each, quote)),
      'mark',
    ),
  );
  const whole = resources.map((each, at) => readAnswer(splitProbe(stdout, 2, 'mark')[at]!, 'mark', each));
  expect(whole).toMatchObject([{ known: true }, { known: true }]);
  for (let length = 0; length < stdout.length - 1; length += 1) {
    const cut = splitProbe(stdout.slice(0, length), 2, 'mark');
    resources.forEach((each, at) => {
      const answer = readAnswer(cut[at] ?? null, 'mark', each);
      expect(answer.known ? answer : whole[at]).toEqual(whole[at]);
    });
    expect(readAnswer(cut[1] ?? null, 'mark', resources[1]!).known).toBe(false);
  }
});

describe.skipIf(!RUNS_HERE)('what was there before us', () => {
  it('is not "nothing" because firewalld does not answer', async () => {
    const rules = firewalldRules({ openings: [], passages: [] }, '10.0.0.1');
    failing('firewall-cmd', 'FirewallD is not running', 252);
    expect(await ask(rules)).toMatchObject({ known: true, state: { zone: null } });
    failing('firewall-cmd', 'Error: org.freedesktop.DBus.Error.NoReply', 1);
    expect(await ask(rules)).toMatchObject({ known: false, why: expect.stringContaining('NoReply') });
    host.program(
      'firewall-cmd',
      'case "$*" in *list-sources) echo 10.1.0.0/16 10.2.0.0/16 ;; --get-*) echo public ;; esac',
    );
    expect(await ask(rules)).toMatchObject({
      state: { zone: 'public', kept: new Set(['trusted 10.1.0.0/16', 'trusted 10.2.0.0/16']) },
    });
  });

  it('nor because nft does not, where a kernel without it has no tables', async () => {
    failing('nft', 'Error: Could not process rule: Device or resource busy', 1);
    expect(await ask(packetFilterBaseline())).toMatchObject({ known: false, why: expect.stringContaining('busy') });
    failing('nft', 'nft: Unable to initialize Netlink socket: Protocol not supported', 1);
    expect(await ask(packetFilterBaseline())).toMatchObject({ known: true });
  });
});
