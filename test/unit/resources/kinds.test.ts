import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { quote } from '../../../activities/host/quote.ts';
import { calicoCrds } from '../../../activities/phases/calico/crds-resource.ts';
import { etcdMember } from '../../../activities/phases/etcd/member-resource.ts';
import { kubeadmControlPlane } from '../../../activities/phases/kubeadm/control-plane-resource.ts';
import { kubeadmWorker } from '../../../activities/phases/kubeadm-nodes/worker-resource.ts';
import { registryImage } from '../../../activities/phases/registry/image-resource.ts';
import { absent } from '../../../activities/resources/absent.ts';
import { archive } from '../../../activities/resources/archive.ts';
import { artifact } from '../../../activities/resources/artifact.ts';
import { baseline } from '../../../activities/resources/baseline.ts';
import { batchScript } from '../../../activities/resources/batch.ts';
import { directory } from '../../../activities/resources/directory.ts';
import { diff } from '../../../activities/resources/engine/diff.ts';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { probeScript, readAnswer, splitProbe } from '../../../activities/resources/engine/probe.ts';
import { kindOf, RESOURCE_KINDS } from '../../../activities/resources/engine/resource-kinds.ts';
import { undoScript } from '../../../activities/resources/engine/undo.ts';
import { file } from '../../../activities/resources/file.ts';
import { filled } from '../../../activities/resources/filled.ts';
import { firewalldRules } from '../../../activities/resources/firewalld-rules.ts';
import { foreignLeftovers } from '../../../activities/resources/foreign-leftovers.ts';
import { hostnameIs } from '../../../activities/resources/hostname.ts';
import { hostsEntries } from '../../../activities/resources/hosts-entries.ts';
import { jsonKeys } from '../../../activities/resources/json-keys.ts';
import { kernelModules } from '../../../activities/resources/kernel-modules.ts';
import { manifests } from '../../../activities/resources/manifests.ts';
import { packages } from '../../../activities/resources/packages.ts';
import { residue } from '../../../activities/resources/residue.ts';
import { type Resource, resourceKey } from '../../../activities/resources/resource.ts';
import { selinuxBooleans } from '../../../activities/resources/selinux-booleans.ts';
import { selinuxFolders } from '../../../activities/resources/selinux-folders.ts';
import { service } from '../../../activities/resources/service.ts';
import { swapOff } from '../../../activities/resources/swap-off.ts';
import { swapUnitsMasked } from '../../../activities/resources/swap-units.ts';
import { symlink } from '../../../activities/resources/symlink.ts';
import { sysctls } from '../../../activities/resources/sysctls.ts';
import { makeTar } from '../../../activities/resources/tar.ts';
import { ufwRules } from '../../../activities/resources/ufw-rules.ts';
import { user } from '../../../activities/resources/user.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

const resolved = {
  name: 'tool',
  version: '1',
  url: 'http://m/t',
  sha256: 'a'.repeat(64),
  size: 5,
  kind: 'binary',
} as const;
const tls = { ca: '/p/ca', cert: '/p/cert', key: '/p/key' };
/** One of each, with names that a shell would like to read otherwise. */
const ONE_OF_EACH: readonly Resource[] = [
  absent("/opt/it's $gone"),
  archive(resolved, { into: '/opt/$(x) y', members: { "a'b": 'c d' } }),
  artifact(resolved, { path: '/opt/bin/a;b' }),
  directory('/opt/`d`'),
  foreignLeftovers(['kubelet.service']),
  etcdMember(
    {
      self: { name: 'cp-1', peerUrl: 'https://a:2380', clientUrl: 'https://a:2379' },
      others: [{ name: 'cp-2', peerUrl: 'https://b:2380', clientUrl: 'https://b:2379' }],
      dataDir: "/opt/it's $data",
      bootstrapFile: '/opt/b (1)',
      tls,
    },
    { token: 't', formed: null, bootstrap: undefined },
  ),
  firewalldRules(
    { openings: [{ protocol: 'tcp', port: 6443, what: '', sources: ['10.0.0.2'] }], passages: [] },
    "it's $(x)",
  ),
  file('/opt/f "x"', 'content'),
  hostnameIs('cp-1'),
  hostsEntries([{ address: '10.0.0.1', names: ['a', 'b'] }]),
  jsonKeys("/opt/it's $(x).json", { 'a b': { "it's": 1 }, c: ['$x'] }),
  kernelModules(['overlay', 'nf-conntrack'], { file: '/etc/modules-load.d/k.conf' }),
  manifests('dns', [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, data: { a: "'\n$(x)" } }]),
  packages(['curl', 'g++'], []),
  registryImage({ file: resolved, registry: 'r.test:5000', repository: 'a/b', tag: '1', tls }),
  selinuxBooleans(['haproxy_connect_any']),
  selinuxFolders([{ path: '/data/containerd', like: '/var/lib/containerd' }]),
  service('x', { unit: '[Service]\n', dropIns: { 'a b': '[Unit]\n' } }),
  swapOff(),
  swapUnitsMasked(),
  symlink('/opt/link', "it's & there"),
  sysctls({ 'net.ipv4.ip_forward': 1, 'net/ipv4/conf/eth0.1/forwarding': '1\t2' }, { file: '/etc/sysctl.d/k.conf' }),
  ufwRules({ openings: [{ protocol: 'tcp', port: 6443, what: "it's $it", sources: ['10.0.0.2'] }], passages: [] }),
  user('etcd'),
  residue('toy', { find: 'echo a link', remove: ':' }),
  baseline('tables', 'echo x'),
  filled('pods', ["/opt/it's $filled"]),
  calicoCrds('/opt/c (1).yaml', 'a'.repeat(64)),
  kubeadmControlPlane('kubeadm', {
    ...{ config: 'c', etcd: 'e', names: ['cp-1'], fills: ["/opt/it's $(etcd)"] },
    ...{ begin: () => Promise.resolve(), change: () => Promise.resolve() },
  }),
  kubeadmWorker('kubeadm', { server: 'https://a:6443', join: () => Promise.resolve() }),
];

/** What each probe prints on a host that has nothing of ours. */
const BARE: Readonly<Record<string, string>> = {
  absent: 'present\n',
  archive: 'absent\n',
  artifact: 'absent\n',
  directory: 'absent\n',
  'etcd-member': 'data no\nend\n',
  file: 'absent\n',
  'foreign-leftovers': 'link\tcni0\t10.1.0.1/24\nend\n',
  hostname: 'debian\n',
  'hosts-entries': 'present\n127.0.0.1 localhost\n\n',
  'json-keys': 'absent\n--- text\n',
  'kernel-modules': 'absent\n',
  manifests: 'absent\n',
  packages: 'kubewright: asked\n',
  'registry-image': 'absent\n',
  'selinux-folders': 'on\n',
  'selinux-booleans': 'haproxy_connect_any --> off\n',
  service: 'ActiveState=inactive\nSubState=dead\nUnitFileState=\nNeedDaemonReload=no\nstamp=\nfile=\nfile=\n',
  'swap-off': 'swap /dev/sda2\nfstab 1\n',
  'swap-units': 'unit dev-zram0.swap /usr/lib/systemd/zram-generator.conf\nknown\n',
  symlink: 'absent\n',
  sysctls: 'absent\n= 0\n= \n',
  'firewalld-rules': 'looked\nzone public\n',
  'ufw-rules': 'looked\nactive\n',
  user: 'absent\n',
  residue: 'a link\n--- asked\n',
  filled: 'lacks:yes\n',
  'calico-crds': 'counts 1 0\n',
  'kubeadm-control-plane': 'new\nend\n',
  'kubeadm-worker': 'end\n',
  witness: '--- probed\n',
};

let host: LocalHost;
beforeEach(() => {
  host = new LocalHost();
});
afterEach(() => host.dispose());
const run = (resources: readonly Resource[]) =>
  converge({
    remote: host,
    resources,
    facts: FACTS,
    mode: 'apply',
    phase: 'test',
    signal: new AbortController().signal,
  });

describe.skipIf(!RUNS_HERE)('every kind', () => {
  it('has a sample here', () => {
    expect(ONE_OF_EACH.map(({ kind }) => kind).sort()).toEqual(RESOURCE_KINDS.map(({ kind }) => kind).sort());
  });

  for (const resource of ONE_OF_EACH) {
    const kind = kindOf(resource);
    const bare = BARE[resource.kind]!;
    const state = () => kind.parse(bare, resource);
    const onBareHost = () => new Map([[resourceKey(resource), { known: true, state: state() } as const]]);

    it(`${resource.kind}: a host without it is a difference, in one line of words`, () => {
      const { changes } = diff([resource], { byResource: onBareHost(), verified: '' }, FACTS);
      expect(changes.length).toBeGreaterThan(0);
      for (const change of changes) {
        expect(change.resource).toBe(resourceKey(resource));
        expect(change.detail).not.toMatch(/\n|undefined|NaN/);
      }
    });

    it(`${resource.kind}: silence, half an answer and an error are unknown, never absent`, () => {
      const answers = ['', '\n', null, '\nm? it is broken\n', `${bare}\nm? then it broke\n`].map((output) =>
        readAnswer(output, 'm', resource),
      );
      for (const answer of answers) expect(answer).toMatchObject({ known: false, why: expect.stringMatching(/./) });
      const { changes } = diff(
        [resource],
        { byResource: new Map([[resourceKey(resource), answers[3]!]]), verified: '' },
        FACTS,
      );
      expect(changes).toEqual([
        { resource: resourceKey(resource), action: 'update', detail: 'cannot be compared now: it is broken' },
      ]);
    });

    it(`${resource.kind}: its probe and its fragment are sh`, () => {
      const check = (script: string) => execFileSync('sh', ['-n'], { input: script, stdio: ['pipe', 'pipe', 'pipe'] });
      check(probeScript([kind.probe(resource, quote)], 'm'));
      if (!kind.fragment) return;
      const { context } = diff([resource], { byResource: onBareHost(), verified: '' }, FACTS);
      const payloads = new Map<number, Uint8Array>();
      const payload = (content: string | Uint8Array) => {
        payloads.set(payloads.size, Buffer.from(content));
        return payloads.size - 1;
      };
      const fragment = kind.fragment(resource, state(), { ...context, quote, payload });
      const batch = { lane: fragment.lane ?? ('quick' as const), parts: [{ key: 'k', fragment }], payloads };
      check(batchScript({ ...batch, ledgerLines: 'x' }, 'nonce'));
      const marks = [kind.ledgerEntries?.(resource, state()), kind.ledgerEntries?.(resource, null)];
      for (const { kind: other, id = resource.id, prior } of marks.flatMap((each) => each ?? [])) {
        for (const known of [prior, null]) {
          const entry = { kind: other ?? resource.kind, id, phase: 'test', prior: known };
          check(undoScript([entry], FACTS, 'nonce'));
        }
      }
    });

    it(`${resource.kind}: its probe reads only, whatever the names in it`, async () => {
      const result = await host.script(probeScript([kind.probe(resource, quote), 'echo after'], 'm'));
      expect(splitProbe(result.stdout, 2, 'm')[1]).toBe('after\n');
    });

    it(`${resource.kind}: its digest is its content's`, () => {
      expect(kind.digest(resource)).toMatch(/^[0-9a-f]{64}$/);
      expect(kind.digest({ ...resource })).toBe(kind.digest(resource));
    });
  }
});

describe.skipIf(!RUNS_HERE)('probe', () => {
  it('separates fragments, also one that fails, exits, or prints the end marker', async () => {
    const fragments = [
      'echo one',
      'false; echo $nothing; exit 7',
      "printf '\\nm< 2\\nx'",
      'cat',
      'kill -9 $$ 2>&1; echo no',
    ];
    const { stdout } = await host.script(probeScript(fragments.slice(0, 4), 'mark'));
    expect(splitProbe(stdout, 4, 'mark')).toEqual(['one\n', '\n', '\nm< 2\nx', '']);
    expect(splitProbe(stdout.slice(0, -10), 4, 'mark')[3]).toBe(null);
  });
});

describe.skipIf(!RUNS_HERE)('file', () => {
  it('takes any name and any content', { timeout: 60_000 }, async () => {
    const name = fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }).filter((text) => {
      const plain = !/[\p{Cc}/]/u.test(text) && text !== '.' && text !== '..';
      return plain && Buffer.byteLength(text) < 200 && text.isWellFormed();
    });
    const samples = fc.sample(fc.tuple(name, fc.string({ unit: 'binary', maxLength: 200 })), 40);
    const unique = [...new Map(samples).entries()].filter(([, content]) => content.isWellFormed());
    const resources = unique.map(([each, content]) => file(host.path(`any/${each}`), content));
    expect((await run(resources)).changes).toHaveLength(resources.length);
    for (const [each, content] of unique) expect(readFileSync(host.path(`any/${each}`), 'utf8')).toBe(content);
    expect((await run(resources)).changes).toEqual([]);
  });
});

describe.skipIf(!RUNS_HERE)('tar', () => {
  it('is what tar(1) reads', () => {
    const entries = [0, 1, 511, 512, 513, 70_000].map((size) => ({
      name: `f${size}`,
      content: Buffer.alloc(size, size),
    }));
    const bytes = makeTar(entries);
    for (const { name, content } of entries) {
      expect(execFileSync('tar', ['-xO', name], { input: bytes }).equals(content)).toBe(true);
    }
  });
});

describe.skipIf(!RUNS_HERE)('sysctls', () => {
  const of = (resource: Resource, output: string) =>
    diff(
      [resource],
      { byResource: new Map([[resourceKey(resource), readAnswer(output, 'm', resource)]]), verified: '' },
      FACTS,
    ).changes;

  it('compare live values with blanks made equal', () => {
    const resource = sysctls({ 'net.ipv4.ip_local_port_range': '1024 60999' }, { file: '/etc/sysctl.d/a.conf' });
    expect(of(resource, 'absent\n= 1024\t60999 \n')).toMatchObject([{ action: 'create', detail: 'new file' }]);
    expect(of(resource, 'absent\n= 32768\t60999 \n')[0]?.detail).toContain('32768 60999 → 1024 60999');
    expect(of(resource, 'absent\n= \n')[0]?.detail).toContain('(none)');
  });

  it('name the file and line that gave a setting another value', () => {
    const resource = sysctls({ 'net.ipv4.ip_forward': 1 }, { file: '/etc/sysctl.d/zz.conf' });
    const others =
      ': /etc/sysctl.d/60-b.conf:2:net.ipv4.ip_forward = 1\n: /etc/sysctl.d/99-a.conf:7:-net/ipv4/ip_forward=0';
    expect(of(resource, `absent\n= 0 \n${others}\n`)[0]?.detail).toBe(
      'new file, net.ipv4.ip_forward 0 → 1 (/etc/sysctl.d/99-a.conf:7 says 0)',
    );
  });

  it('keep a greater value of a limit, in their file too', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'kubewright-sysctls-'));
    const file = join(dir, 'zz.conf');
    // Read on the machine of the test: its limit is above 1, and stays.
    const resource = sysctls({ 'fs.file-max': 1 }, { file, atLeast: ['fs.file-max'] });
    const live = readFileSync('/proc/sys/fs/file-max', 'utf8').trim();
    expect((await run([resource])).changes).toMatchObject([{ detail: 'new file' }]);
    expect(readFileSync(file, 'utf8')).toBe(`# Written by Kubewright.\nfs.file-max = ${live}\n`);
    expect((await run([resource])).changes).toEqual([]);
    expect(of(resource, 'absent\n= 0 \n')[0]?.detail).toContain('fs.file-max 0 → 1');
    rmSync(dir, { recursive: true });
  });
});
