import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PACKETS_FUNCTION, POD_PACKETS_FUNCTION } from '../../../activities/kube/packet-size.ts';
import packetSize from '../../../activities/phases/preflight/checks/packet-size.ts';
import { isAboutSize, sizeSentence } from '../../../activities/phases/verify/checks.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kw-packets-'));
  // Lets packets up to $PASSES through; larger ones are lost, or a router answers ($ROUTER); no echo at all when it is 0.
  writeFileSync(
    join(folder, 'ping'),
    `#!/bin/sh
[ ! -e "${join(folder, 'cached')}" ] || PASSES=$(cat "${join(folder, 'cached')}") ROUTER=own
while [ $# -gt 1 ]; do [ "$1" != -s ] || size=$2; shift; done
[ "$PASSES" != 0 ] && [ $((size + 28)) -le "$PASSES" ] && exit 0
[ -z "$ROUTER" ] || echo "From 10.0.0.1 icmp_seq=1 Frag needed and DF set (mtu = $PASSES)"
exit 1
`,
  );
  chmodSync(join(folder, 'ping'), 0o755);
  // What the kernel remembers of the way to an address.
  writeFileSync(
    join(folder, 'ip'),
    `#!/bin/sh\n[ "$*" = "-4 route flush cache" ] && rm -f ${join(folder, 'cached')}\n`,
  );
  chmodSync(join(folder, 'ip'), 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ask = (functions: string, passes: number, bytes: number, router = '') =>
  execFileSync('sh', ['-euc', `${functions}\npackets 10.0.0.9 ${bytes}`], {
    env: { ...process.env, PATH: `${folder}:${process.env['PATH']}`, PASSES: String(passes), ROUTER: router },
    encoding: 'utf8',
  });

describe.each([
  ['on a host', PACKETS_FUNCTION],
  ['in a pod', POD_PACKETS_FUNCTION],
])('packets %s', (where, functions) => {
  test.each([576, 1350, 1500, 9000])('of %d bytes that pass need no word', (bytes) => {
    expect(ask(functions, bytes, bytes)).toBe('');
  });

  test.each([577, 1250, 1349])('that are lost above %d bytes: that size is found', (passes) => {
    expect(ask(functions, passes, 1350).trim()).toBe(String(passes));
  });

  test('an address that answers no echo is not judged', () => {
    expect(ask(functions, 0, 1350)).toBe('');
  });

  test.runIf(where === 'on a host')('a router that says the size is quoted', () => {
    expect(ask(functions, 1300, 1400, 'yes')).toBe(
      '1300 From 10.0.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1300)\n',
    );
    expect(ask(functions, 1300, 1400)).toBe('1300 \n');
  });
});

test('a size that the kernel of a host remembers of a pod behind the address is not that of the way', () => {
  writeFileSync(join(folder, 'cached'), '1300');
  expect(ask(PACKETS_FUNCTION, 1500, 1328)).toBe('');
  writeFileSync(join(folder, 'cached'), '1300');
  expect(ask(PACKETS_FUNCTION, 1310, 1328).trim()).toBe('1310');
});

describe('preflight', () => {
  const of = (network: object, phases = {}) => {
    const cluster = sampleCluster({ network: { ...network }, phases });
    const host = cluster.spec.hosts[1]!;
    return { cluster, host, requirements: requirementsOf(cluster, host), options: {} as never };
  };
  const input = (network: object) => ({
    ...of(network),
    ...{ facts: sampleFacts, duplicateHost: null, askedAtMs: 0, answeredAtMs: 0 },
  });

  test('asks the other nodes for packets of the given MTU and the overhead of the backend', () => {
    expect(packetSize.probe?.args(of({ mtu: 1400 }))).toEqual(['1450', '10.20.0.13', '10.20.0.11']);
    const hostGw = { flannel: { backend: 'host-gw' } };
    expect(packetSize.probe?.args(of({ mtu: 1400 }, hostGw))).toEqual(['1400', '10.20.0.13', '10.20.0.11']);
    const own = { 'external-network': { overhead: 60 } };
    expect(packetSize.probe?.args(of({ mtu: 1400 }, own))?.[0]).toBe('1460');
  });

  test('has no question where no MTU is given', () => {
    expect(packetSize.probe?.args(of({}))).toBeNull();
  });

  test('names the nodes, the sizes, and who says so', () => {
    const rows = [
      ['10.20.0.13', '1400', 'ping: local error: message too long, mtu=1400'],
      ['10.20.0.11', '1300', ''],
    ];
    expect(packetSize.evaluate(input({ mtu: 1400 }), rows)).toEqual([
      {
        code: 'MTU_TOO_LARGE',
        message:
          'packets of 1450 bytes (spec.network.mtu 1400, overhead of the pod network 50) do not pass from worker-1 to worker-2: the largest that passes has 1400 bytes',
        evidence:
          'worker-2 (10.20.0.13): 1400 of 1450 bytes pass; ping: local error: message too long, mtu=1400\ncp-1 (10.20.0.11): 1300 of 1450 bytes pass; larger ones are lost without an answer',
      },
    ]);
    expect(packetSize.evaluate(input({ mtu: 1400 }), [])).toEqual([]);
  });
});

test.each([
  [
    'pod-mtu',
    '1250 1350',
    /1350 bytes do not pass between pods of a and b: the largest that passes has 1250 bytes, 1300 be/,
  ],
  ['node-mtu', '1300 1500', /1500 bytes, the MTU of the link of a, are lost on the way to b: .* 1300 bytes/],
  ['link-mtu', '1450 1350', /pods on a have links with an MTU of 1450, and the spec says 1350/],
])('the smoke test says of %s what passes, and between whom', (check, what, sentence) => {
  expect(isAboutSize(check)).toBe(true);
  expect(sizeSentence({ check, from: 'a', to: 'b', what }, 50)).toMatch(sentence);
});
