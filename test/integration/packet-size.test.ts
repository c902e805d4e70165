import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POD_PACKETS_FUNCTION } from '../../activities/kube/packet-size.ts';

/** What a test pod finds out about the size of packets, with real links: a pod, a router, and a pod behind it. */

const BUSYBOX = '/usr/bin/busybox';
const sh = (script: string) => execFileSync('sh', ['-euc', script], { encoding: 'utf8' });
let bin = '';

describe.runIf(existsSync(BUSYBOX))('packets of full size', () => {
  beforeAll(() => {
    bin = mkdtempSync(join(tmpdir(), 'kw-busybox-'));
    sh(`${BUSYBOX} --install -s ${bin}
      for name in a r b; do ip netns del kwsize-$name 2>/dev/null || :; ip netns add kwsize-$name; done
      ip link add kwsize0 netns kwsize-a type veth peer name kwsize1 netns kwsize-r
      ip link add kwsize2 netns kwsize-r type veth peer name kwsize3 netns kwsize-b
      ip -n kwsize-a link set kwsize0 name eth0
      ip -n kwsize-b link set kwsize3 name eth0
      ip -n kwsize-a address add 10.99.1.2/24 dev eth0
      ip -n kwsize-r address add 10.99.1.1/24 dev kwsize1
      ip -n kwsize-r address add 10.99.2.1/24 dev kwsize2
      ip -n kwsize-b address add 10.99.2.2/24 dev eth0
      for link in 'a eth0' 'r kwsize1' 'r kwsize2' 'b eth0'; do
        set -- $link
        ip -n "kwsize-$1" link set "$2" mtu 1400 up
      done
      ip -n kwsize-a route add default via 10.99.1.1
      ip -n kwsize-b route add default via 10.99.2.1
      ip netns exec kwsize-r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'`);
  });
  afterAll(() => {
    sh('for name in a r b; do ip netns del kwsize-$name 2>/dev/null || :; done');
    rmSync(bin, { recursive: true, force: true });
  });

  /** With the one capability that the test pod has. */
  const ask = () =>
    execFileSync(
      'ip',
      [
        ...['netns', 'exec', 'kwsize-a', 'setpriv', '--bounding-set=-all,+net_raw', '--inh-caps=-all'],
        ...['env', `PATH=${bin}`, `${bin}/sh`, '-c', `${POD_PACKETS_FUNCTION}\npackets 10.99.2.2 "$link_mtu"`],
      ],
      { encoding: 'utf8' },
    ).trim();

  it('need no word where they pass', () => {
    expect(ask()).toBe('');
  });

  it('are found out behind a router that says what it passes', () => {
    sh('ip -n kwsize-r link set kwsize2 mtu 1300');
    expect(ask()).toBe('1300');
    sh('ip -n kwsize-r link set kwsize2 mtu 1400; ip -n kwsize-a route flush cache');
    expect(ask()).toBe('');
  });

  it('are found out where they are lost without an answer', () => {
    sh('ip -n kwsize-b link set eth0 mtu 1290');
    // A veth takes frames with a VLAN tag: four bytes more.
    expect(ask()).toBe('1294');
  });
});
