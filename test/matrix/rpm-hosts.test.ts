import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Lab } from '../../lab/lab.ts';
import { labDown, labUp } from '../../lab/lab.ts';
import { onHost, type SpecDraft, Workbench } from '../integration/support.ts';
import { fillMirror, SmallMirror } from '../integration/support-mirror.ts';
import { differences } from '../support/host-snapshot.ts';
import { MATRIX_SNAPSHOT } from './kit/snapshot.ts';

/** Tasks of real phases on one bare host of the RHEL family: dnf, rpm, chronyd, firewalld. No cluster: a minute each. */
const SYSTEMS = [
  { os: 'rocky9', name: 'rpmhost' },
  { os: 'openeuler24', name: 'rpmeuler' },
];
const HOST = 'cp-1';

describe.each(SYSTEMS)('a host with dnf and firewalld: $os', ({ os, name }) => {
  let lab: Lab;
  let bench: Workbench;
  let before: string;
  const mirror = new SmallMirror();

  /** A second host that is only an address: it is a source in rules of firewalls. */
  const change = (spec: SpecDraft): void => {
    spec.hosts.push({ name: 'worker-1', address: '192.0.2.77', roles: ['worker'], ssh: {} });
  };
  const run = (phase: string, mode: 'apply' | 'check' = 'apply') => bench.run({ phase, host: HOST, change, mode });
  const lines = async (script: string) => (await onHost(lab, HOST, script)).trim().split('\n');

  beforeAll(async () => {
    await labDown(name);
    lab = await labUp({ name, hosts: 1, mirror: false, os });
    bench = new Workbench(lab);
    await bench.open();
    fillMirror(mirror, bench.folder);
    await mirror.start(lab.gateway);
    before = await onHost(lab, HOST, MATRIX_SNAPSHOT);
  });
  afterAll(async () => {
    await mirror.stop();
    await bench?.close();
    await labDown(name);
  });

  it('is supported: preflight finds nothing', async () => {
    const alone = (spec: SpecDraft): void => {
      spec.artifacts = { mirror: mirror.url };
    };
    expect((await bench.run({ phase: 'preflight', host: HOST, change: alone })).changes).toEqual([]);
  });

  it('gets packages by the names of its family, signed ones, and the rules of its roles', async () => {
    const prepared = await run('prepare');
    expect(prepared.changes.map(({ resource }) => resource)).toContain('firewalld-rules:firewalld');
    const installed = await lines(
      `rpm -q --qf '%{NAME} %{RSAHEADER:pgpsig}\\n' chrony conntrack-tools iptables-nft nftables 2>/dev/null`,
    );
    expect(installed).toHaveLength(4);
    for (const line of installed) expect(line).toMatch(/^[a-z-]+ RSA\/SHA/);
    const rules = await lines('firewall-cmd --zone=public --list-rich-rules');
    expect(rules).toContain('rule family="ipv4" source address="192.0.2.77" port port="6443" protocol="tcp" accept');
    expect(await lines('firewall-cmd --permanent --zone=trusted --list-sources')).toContain('10.244.0.0/16');
    expect(await lines('firewall-cmd --zone=public --list-ports | grep . || echo none')).toEqual(['none']);
    expect((await run('prepare', 'check')).changes).toEqual([]);
  });

  it('runs chronyd, the unit of its family, with our configuration', async () => {
    await run('chrony');
    expect(await lines('systemctl is-active chronyd; systemctl is-enabled chronyd')).toEqual(['active', 'enabled']);
    expect(await onHost(lab, HOST, 'tr "\\0" " " </proc/$(pidof chronyd | cut -d " " -f 1)/cmdline')).toContain(
      '-F 2 -f /etc/chrony/kubewright.conf -x',
    );
    expect((await run('chrony', 'check')).changes).toEqual([]);
  });

  it('takes no package without a signature', async () => {
    const unsigned = `cp -r /usr/share/kubewright-lab/rpm /root/unsigned
rpmsign --delsign /root/unsigned/tree.rpm >/dev/null 2>&1 || rpm --delsign /root/unsigned/tree.rpm >/dev/null 2>&1
dnf -y install /root/unsigned/tree.rpm --setopt=localpkg_gpgcheck=1 2>&1 || :
rpm -q tree || :
rm -rf /root/unsigned`;
    expect(await onHost(lab, HOST, unsigned)).toMatch(/is not signed[^]*package tree is not installed/);
  });

  it('has no rule, no package and no file of ours after a teardown', async () => {
    await bench.run({ phase: 'teardown', kind: 'teardown', host: HOST, change });
    const after = await onHost(lab, HOST, MATRIX_SNAPSHOT);
    expect(differences(before, after)).toEqual([]);
    const rules =
      'firewall-cmd --permanent --zone=public --list-rich-rules; firewall-cmd --zone=public --list-rich-rules; firewall-cmd --permanent --zone=trusted --list-sources';
    expect(await lines(rules)).toEqual(['']);
  });
});
