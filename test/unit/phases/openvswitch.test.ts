import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hostHealthScript } from '../../../activities/health/host-script.ts';
import { healthOf } from '../../../activities/health/index.ts';
import type { HealthView } from '../../../activities/health/view.ts';
import { HOST_PATH } from '../../../activities/host/host-path.ts';
import { kubeletLimits } from '../../../activities/kube/eviction.ts';
import { MESH_SCRIPT } from '../../../activities/phases/openvswitch/mesh-script.ts';
import openvswitch from '../../../activities/phases/openvswitch/phase.ts';
import { MESH_TEARDOWN } from '../../../activities/phases/openvswitch/teardown-script.ts';
import type { CheckInput } from '../../../activities/phases/preflight/check.ts';
import linkNames from '../../../activities/phases/preflight/checks/link-names.ts';
import networkOverlap from '../../../activities/phases/preflight/checks/network-overlap.ts';
import { undoFunctions } from '../../../activities/resources/ledger.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

const NOW = Date.UTC(2026, 10, 30);

/** Of a host of the sample cluster with these options. */
function input(options: Record<string, unknown> = {}): CheckInput<never> {
  const cluster = sampleCluster({ phases: { openvswitch: options } as never });
  const host = cluster.spec.hosts[0]!;
  return {
    ...{ cluster, host, requirements: requirementsOf(cluster, host), options: {} as never },
    ...{ facts: sampleFacts, duplicateHost: null, askedAtMs: NOW, answeredAtMs: NOW },
  };
}

describe('preflight', () => {
  test('links of others that have the names of ours are refused; with the kernel datapath fewer names are needed', () => {
    expect(linkNames.probe!.args(input())).toEqual(['kubewright-openvswitch kbr0 obr0 br-phy ovsup0']);
    expect(linkNames.probe!.args(input({ datapath: 'kernel' }))).toEqual(['kubewright-openvswitch kbr0 obr0']);
    expect(linkNames.evaluate(input(), [['kbr0', '7: kbr0: <BROADCAST>  mtu 1500 bridge', '10.1.0.1/24 ']])).toEqual([
      {
        code: 'LINK_NAME_TAKEN',
        message: 'the host has a link kbr0, a name that Open vSwitch needs for its own',
        evidence: 'ip link: 7: kbr0: <BROADCAST> mtu 1500 bridge; 10.1.0.1/24',
      },
    ]);
  });

  test('a cluster with another network asks for no names of links', () => {
    const cluster = sampleCluster();
    const host = cluster.spec.hosts[0]!;
    expect(
      linkNames.probe!.args({ ...input(), cluster, host, requirements: requirementsOf(cluster, host) }),
    ).toBeNull();
  });

  test('a route into the range of the tunnels is refused, and the field is named', () => {
    const route = ['172.30.4.0/24', 'dev br-1234 proto kernel scope link src 172.30.4.1'];
    expect(networkOverlap.evaluate(input(), [route]).map(({ message }) => message)).toEqual([
      'the route 172.30.4.0/24 on br-1234 overlaps spec.phases.openvswitch.tunnelCidr 172.30.0.0/16',
    ]);
    expect(networkOverlap.evaluate(input({ datapath: 'kernel' }), [route])).toEqual([]);
  });
});

describe('a change of options', () => {
  const changes = (before: object, after: object) =>
    openvswitch.changesTogether!({
      before: openvswitch.options.parse(before),
      after: openvswitch.options.parse(after),
    });

  test.each<[string, object, object, boolean]>([
    ['the tunnel', {}, { tunnel: 'vxlan' }, true],
    ['the datapath', {}, { datapath: 'userspace' }, true],
    ['the range of the tunnels', {}, { tunnelCidr: '198.18.0.0/16' }, true],
    ['the port of VXLAN', { tunnel: 'vxlan' }, { tunnel: 'vxlan', vxlanPort: 8472 }, true],
    ['the port of tunnels that have none', {}, { vxlanPort: 8472 }, false],
    ['masquerading', {}, { ipMasq: false }, false],
  ])('of %s', (_, before, after, together) => {
    expect(changes(before, after)).toBe(together);
  });
});

describe('health', () => {
  const cluster = sampleCluster({ phases: { openvswitch: {} } as never });
  const view = (rows: string[][]): HealthView => ({
    ...{ cluster, out: new Set<string>(), objects: [], now: NOW },
    rows: [['end']],
    hosts: cluster.spec.hosts.map((host, index) => ({
      host,
      limits: kubeletLimits(cluster, host),
      rows: index === 0 ? rows : [],
    })),
  });
  const tunnels = (rows: string[][], out: string[] = []) =>
    healthOf({ ...view(rows), out: new Set(out) }, { at: '', operationId: 'op', quarantined: [] }).reasons.filter(
      ({ code }) => code === 'TUNNEL_MISSING',
    );
  const end = ['tunnels', 'end'];

  test('a node without a tunnel to another one is named with both', () => {
    expect(tunnels([['tunnel', 'worker-1', 'up'], ['tunnel', 'worker-2', 'failed'], end])).toMatchObject([
      {
        subject: 'node cp-1',
        reason: 'cp-1 has no tunnel to worker-2: their pods do not reach each other',
        evidence: 'worker-2: failed',
      },
    ]);
    expect(tunnels([['tunnel', 'worker-2', 'up'], end])).toMatchObject([
      { evidence: 'worker-1: not known on the host' },
    ]);
  });

  test.each<[string, string[][], string[]]>([
    ['all tunnels are there', [['tunnel', 'worker-1', 'up'], ['tunnel', 'worker-2', 'up'], end], []],
    ['the other node is in quarantine', [['tunnel', 'worker-1', 'up'], end], ['worker-2']],
    ['the host did not answer to the end', [['tunnel', 'worker-1', 'up']], []],
    ['nothing was built', [end], []],
  ])('no reason where %s', (_, rows, out) => {
    expect(tunnels(rows, out)).toEqual([]);
  });

  test('the part of the script of a host without the program says nothing, and ends', () => {
    const probe = openvswitch.healthProbe!({ cluster, host: cluster.spec.hosts[0]!, options: {} as never });
    const said = execFileSync('sh', ['-s', '', '', '', '', '', ''], { input: hostHealthScript([probe.script!]) });
    expect(String(said)).toMatch(/end\n$/);
    expect(String(said)).not.toMatch(/^tunnel/m);
  });
});

describe('the program of the unit', () => {
  const node = (name: string, address: string | null, podCidr?: string) => ({
    metadata: { name, labels: { name: 'evil', podCIDR: '1.2.3.0/24' }, annotations: { a: '"address": "6.6.6.6"' } },
    spec: podCidr === undefined ? {} : { podCIDR: podCidr, podCIDRs: [podCidr] },
    status: {
      addresses: [
        { type: 'Hostname', address: name },
        ...(address === null ? [] : [{ type: 'InternalIP', address }]),
        { type: 'ExternalIP', address: '192.0.2.9' },
      ],
    },
  });
  const answer = (items: object[]) =>
    JSON.stringify({ kind: 'NodeList', apiVersion: 'v1', metadata: { resourceVersion: '77' }, items }, null, 2);

  /** The program with folders and programs of the test in place of the host's. Open vSwitch is a file with a line a port. */
  function host(settings: Record<string, string> = {}) {
    const folder = mkdtempSync(join(tmpdir(), 'kw-mesh-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const at = (path: string) => join(folder, path);
    for (const path of ['bin', 'sys/class/net/eth0', 'proc/sys/net/ipv4/conf/eth0', 'etc/cni/net.d', 'state', 'run']) {
      mkdirSync(at(path), { recursive: true });
    }
    for (const [name, text] of Object.entries(FAKES)) {
      writeFileSync(at(`bin/${name}`), `#!/bin/sh\nat=${folder}\n${text}`);
      chmodSync(at(`bin/${name}`), 0o755);
    }
    writeFileSync(at('sys/class/net/eth0/mtu'), '1500\n');
    writeFileSync(at('proc/sys/net/ipv4/conf/eth0/arp_filter'), '0\n');
    const values = {
      ...{ node: 'cp-1', server: 'https://api:6443', ca: '/ca', cert: '/cert', key: '/key', datapath: 'kernel' },
      ...{ tunnel: 'gre', port: '0', tunnel_cidr: '172.30.0.0/16', pod_cidr: '10.244.0.0/16', mtu: '' },
      ...{ overhead: '38', masquerade: 'yes', ...settings },
    };
    writeFileSync(
      at('settings'),
      Object.entries(values)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    const script = MESH_SCRIPT.replaceAll('/etc/kubewright/openvswitch/settings', at('settings'))
      .replaceAll('/var/lib/kubewright/openvswitch', at('state'))
      .replaceAll('/run/kubewright-openvswitch', at('run'))
      .replaceAll('/etc/cni/net.d', at('etc/cni/net.d'))
      .replaceAll('/sys/class/net', at('sys/class/net'))
      .replaceAll('/proc/sys/net', at('proc/sys/net'))
      .replace(HOST_PATH, `${at('bin')}:/usr/bin:/bin`);
    const run = (mode: string) => {
      try {
        return String(
          execFileSync('sh', ['-s', mode], { input: script, stdio: ['pipe', 'pipe', 'pipe'], timeout: 20_000 }),
        );
      } catch (error) {
        return `failed: ${String((error as { stderr?: Buffer }).stderr)}`;
      }
    };
    const read = (path: string) => (existsSync(at(path)) ? readFileSync(at(path), 'utf8') : '');
    /** One round of following: the list is read, everything is brought in step, and the wait is cut. */
    const follow = (items: object[]) => {
      writeFileSync(at('answer'), answer(items));
      return run('run');
    };
    const ports = () =>
      read('ports')
        .split('\n')
        .filter((line) => line !== '')
        .sort();
    return { at, run, read, follow, ports };
  }

  const three = [
    node('cp-1', '10.20.0.11', '10.244.0.0/24'),
    node('worker-1', '10.20.0.12', '10.244.1.0/24'),
    node('worker-2', '10.20.0.13', '10.244.2.0/24'),
  ];
  const GRE = (n: number, remote: string, local: string, name: string) =>
    `kw0a14000${n.toString(16)} protected=true type=gre options:remote_ip=${remote} options:local_ip=${local} external_ids:node=${name}`;

  test('makes a tunnel to each other node, and follows nodes that come and go', () => {
    const { follow, ports, read } = host();
    follow(three);
    expect(ports()).toEqual([
      GRE(12, '10.20.0.12', '10.20.0.11', 'worker-1'),
      GRE(13, '10.20.0.13', '10.20.0.11', 'worker-2'),
    ]);
    follow([three[0]!, three[2]!, node('worker-3', '10.20.0.14', '10.244.3.0/24'), node('new', null)]);
    expect(ports()).toEqual([
      GRE(13, '10.20.0.13', '10.20.0.11', 'worker-2'),
      GRE(14, '10.20.0.14', '10.20.0.11', 'worker-3'),
    ]);
    expect(read('calls')).toContain('--bridge obr0 datapath_type=system mtu_request=1462');
    expect(read('calls')).toContain('address replace 10.244.0.1/16 dev kbr0');
    expect(read('calls')).toContain('link set kbr0 mtu 1462 up');
  });

  test('a list that is cut, or one without this node, takes no tunnel away', () => {
    const { at, follow, ports, run } = host();
    follow(three);
    follow([node('other', '10.20.0.99', '10.244.9.0/24')]);
    expect(ports()).toHaveLength(2);
    writeFileSync(at('answer'), answer([three[0]!]).slice(0, -3));
    run('run');
    expect(ports()).toHaveLength(2);
  });

  test('at boot it makes again what was there last, without an API server', () => {
    const { at, follow, ports, run, read } = host();
    follow(three);
    rmSync(at('ports'));
    rmSync(at('answer'));
    rmSync(at('etc/cni/net.d/10-kubewright.conflist'));
    expect(run('restore')).toBe('');
    expect(ports()).toHaveLength(2);
    expect(JSON.parse(read('etc/cni/net.d/10-kubewright.conflist')).plugins[0]).toMatchObject({
      bridge: 'kbr0',
      mtu: 1462,
      ipam: {
        ranges: [
          [{ subnet: '10.244.0.0/16', rangeStart: '10.244.0.2', rangeEnd: '10.244.0.254', gateway: '10.244.0.1' }],
        ],
      },
    });
  });

  test('two nodes with halves of a /24 have addresses, gateways and MAC addresses of their own', () => {
    const halves = [node('cp-1', '10.20.0.11', '10.244.1.128/25'), node('worker-1', '10.20.0.12', '10.244.1.0/25')];
    const second = host();
    second.follow(halves);
    expect(JSON.parse(second.read('etc/cni/net.d/10-kubewright.conflist')).plugins[0].ipam.ranges[0]).toEqual([
      { subnet: '10.244.0.0/16', rangeStart: '10.244.1.130', rangeEnd: '10.244.1.254', gateway: '10.244.1.129' },
    ]);
    expect(second.read('calls')).toContain('address replace 10.244.1.129/16 dev kbr0');
    expect(second.read('calls')).toContain('link add kbr0 address 0a:58:0a:f4:01:81 type bridge');
    const first = host({ node: 'worker-1' });
    first.follow(halves);
    expect(first.read('calls')).toContain('link add kbr0 address 0a:58:0a:f4:01:01 type bridge');
    expect(JSON.parse(first.read('etc/cni/net.d/10-kubewright.conflist')).plugins[0].ipam.ranges[0]).toEqual([
      { subnet: '10.244.0.0/16', rangeStart: '10.244.1.2', rangeEnd: '10.244.1.126', gateway: '10.244.1.1' },
    ]);
  });

  test('in the userspace datapath tunnels end at addresses of the private range, behind an uplink with its own MAC address', () => {
    const { follow, ports, read } = host({ datapath: 'userspace', tunnel: 'vxlan', port: '4789', overhead: '50' });
    follow(three);
    expect(ports()[0]).toBe(
      'kw0a14000c protected=true type=vxlan options:remote_ip=172.30.0.12 options:local_ip=172.30.0.11 external_ids:node=worker-1 options:dst_port=4789',
    );
    const calls = read('calls');
    expect(calls).toContain('link add ovsup0 link eth0 address 0a:5b:ac:1e:00:0b type macvlan mode bridge');
    expect(calls).toContain('--bridge br-phy datapath_type=netdev other-config:hwaddr="0a:5b:ac:1e:00:0b"');
    expect(calls).toContain('address replace 172.30.0.11/16 dev br-phy');
    expect(calls).toContain('--bridge obr0 datapath_type=netdev mtu_request=1450');
    expect(read('proc/sys/net/ipv4/conf/eth0/arp_filter')).toBe('1\n');
    expect(read('state/arp-filter')).toBe('eth0 0\n');
    expect(read('rules')).toContain('-A KW-OVS-INPUT -i ovsup0 -j DROP');
  });

  test('the spec gives the MTU, and masquerading is left out where it says so', () => {
    const { follow, read } = host({ mtu: '1300', masquerade: 'no' });
    follow(three);
    expect(read('calls')).toContain('mtu_request=1300');
    expect(read('rules')).not.toContain('MASQUERADE');
    expect(read('rules')).toContain('-A KW-OVS-FORWARD -s 10.244.0.0/16 -j ACCEPT');
  });

  test.each([
    ['a bridge of Open vSwitch', 'marks', 'obr0 \n', /the bridge obr0 of Open vSwitch is not of Kubewright/],
    ['a link', 'sys/class/net/kbr0/ifalias', '\n', /the link kbr0 is not of Kubewright/],
  ])('%s of another with the name of ours ends it, untouched', (_, path, text, message) => {
    const { at, follow, read } = host();
    mkdirSync(at('sys/class/net/kbr0'), { recursive: true });
    writeFileSync(at('sys/class/net/kbr0/ifalias'), 'kubewright\n');
    writeFileSync(at(path), text);
    expect(follow(three)).toMatch(message);
    expect(read('calls')).not.toMatch(/--bridge obr0|link set kbr0|address replace/);
  });

  test('another kind of tunnel makes the bridge anew', () => {
    const { follow, at, read } = host();
    follow(three);
    writeFileSync(
      at('settings'),
      read('settings').replace('tunnel=gre', 'tunnel=vxlan').replace('port=0', 'port=4789'),
    );
    follow(three);
    expect(read('calls')).toMatch(/del-br obr0/);
    expect(read('ports')).toContain('type=vxlan');
    expect(read('ports')).not.toContain('type=gre');
  });

  test('mode state has each tunnel, also one that Open vSwitch cannot make', () => {
    const { follow, at, run } = host();
    follow(three);
    expect(run('state')).toBe('datapath kernel\ntunnel worker-1 up\ntunnel worker-2 up\n');
    writeFileSync(at('interfaces'), 'kw0a14000c,-1\n');
    expect(run('state')).toBe('datapath kernel\ntunnel worker-1 failed\ntunnel worker-2 missing\n');
  });
});

test('a teardown removes bridges and links with our mark, sets the setting back, and leaves those of others alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kw-mesh-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const at = (path: string) => join(folder, path);
  for (const path of ['bin', 'state', 'net/kbr0', 'net/ovsup0', 'conf/eth0']) mkdirSync(at(path), { recursive: true });
  writeFileSync(at('net/kbr0/ifalias'), 'kubewright\n');
  // A link that someone else named like ours.
  writeFileSync(at('net/ovsup0/ifalias'), 'theirs\n');
  writeFileSync(at('conf/eth0/arp_filter'), '1\n');
  writeFileSync(at('state/arp-filter'), 'eth0 0\n');
  const programs = {
    ip: `echo "ip $*" >>${at('calls')}; case "$*" in *'show master'*) echo '9: veth1@if2: <UP>' ;; esac`,
    'ovs-vsctl': `echo "$*" >>${at('calls')}
case "$*" in *list-br) printf 'br-phy\\nobr0\\nusers\\n' ;; *'br-get-external-id obr0'*) echo 'netdev gre 0 172.30.0.11' ;; esac`,
    'iptables-save': 'exit 0',
    'ip6tables-save': 'exit 0',
  };
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${text}\n`);
    chmodSync(at(`bin/${name}`), 0o755);
  }
  const script = MESH_TEARDOWN.replaceAll('/sys/class/net', at('net'))
    .replaceAll('/proc/sys/net/ipv4/conf', at('conf'))
    .replaceAll('/var/lib/kubewright/openvswitch', at('state'));
  const input = `${undoFunctions('n')}\nPATH=${at('bin')}:/usr/bin:/bin\n${script}`;
  const said = String(execFileSync('sh', ['-s'], { input }));
  const calls = readFileSync(at('calls'), 'utf8');
  expect(calls).toMatch(/del-br obr0/);
  expect(calls).not.toMatch(/del-br (br-phy|users)|delete ovsup0/);
  expect(calls).toMatch(/link delete veth1[^]*link delete kbr0/);
  expect(readFileSync(at('conf/eth0/arp_filter'), 'utf8')).toBe('0\n');
  expect(said).toContain('n restored sysctls:net.ipv4.conf.eth0.arp_filter\t0');
});

/** Programs of a host. \`$at\` is the folder of the test. */
const FAKES = {
  curl: `case "$*" in *watch=true*) exit 0 ;; esac
[ -e $at/answer ] && cat $at/answer`,
  // The program ends where it would wait: a test follows for one round.
  sleep: 'kill $PPID',
  modprobe: 'exit 1',
  'ovs-dpctl': 'exit 1',
  iptables: `echo "iptables $*" >>$at/calls; case "$*" in *' -C '*) exit 1 ;; esac`,
  'iptables-restore': 'cat >$at/rules',
  ip: `echo "$*" >>$at/calls
case "$*" in
  '-o -4 address show to '*) echo '2: eth0    inet 10.20.0.11/24 brd 10.20.0.255 scope global eth0' ;;
  'link add '*) mkdir -p $at/sys/class/net/$3; echo kubewright >$at/sys/class/net/$3/ifalias; echo 0 >$at/sys/class/net/$3/ifindex ;;
  'link set obr0 master '*) mkdir -p $at/sys/class/net/kbr0/brif/obr0 ;;
esac`,
  'ovs-vsctl': `shift
case $1 in
  br-exists) grep -qs "^$2 " $at/marks || exit 2; exit 0 ;;
  br-get-external-id) sed -n "s/^$2 //p" $at/marks; exit 0 ;;
  list-ports) cut -d ' ' -f 1 $at/ports 2>/dev/null; exit 0 ;;
  del-br) echo "del-br $2" >>$at/calls; sed -i "/^$2 /d" $at/marks; rm -f $at/ports; exit 0 ;;
  -f) if [ -e $at/interfaces ]; then cat $at/interfaces; else sed 's/ .*/,3/' $at/ports; fi; exit 0 ;;
esac
# A transaction: commands between --.
bridge= port=
while [ $# -gt 0 ]; do
  case $1 in
    add-br) bridge=$2; echo "--bridge $2" >>$at/new; mkdir -p $at/sys/class/net/$2 $at/proc/sys/net/ipv4/conf/$2; echo 5 >$at/sys/class/net/$2/ifindex; shift 2 ;;
    set) case $2 in bridge | interface | port) what=$2 name=$3; shift 3 ;; esac
      while [ $# -gt 0 ] && [ "$1" != -- ]; do
        case $name in kw*) line="$line $1" ;; *) printf ' %s' "$1" >>$at/values ;; esac
        shift
      done ;;
    br-set-external-id) grep -v "^$2 " $at/marks >$at/marks.new 2>/dev/null; echo "$2 $4" >>$at/marks.new; mv $at/marks.new $at/marks; shift 4 ;;
    add-port) case $3 in kw*) [ -z "\${line:-}" ] || echo "$line" >>$at/ports; line=$3 ;; esac; shift 3 ;;
    del-port) sed -i "/^$3 /d" $at/ports; shift 3 ;;
    *) shift ;;
  esac
done
[ -z "\${line:-}" ] || echo "$line" >>$at/ports
[ -z "$bridge" ] || { echo "--bridge $bridge$(cat $at/values)" >>$at/calls; rm -f $at/values; }
`,
};
