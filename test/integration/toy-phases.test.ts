import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { scanPhases } from '../../activities/phases/phase-loader.ts';
import { makePlan } from '../support/plans.ts';
import { makeBare, onHost, packageNames, type SpecDraft, Workbench } from './support.ts';

/** A pod network and a runtime from a folder of the tests, on a real host: planned, preflighted, built, torn down. */

const HOST = 'worker-1';
const SLOW = { timeout: 600_000 };
const lab = inject('lab');
const toys = await scanPhases(new URL('../fixtures/toy-phases/', import.meta.url));
const bench = new Workbench(lab, toys);
const ARP = '/proc/sys/net/ipv4/conf/default/arp_filter';
let packages: string[] = [];

const change =
  (toynet: object = {}, toyrun: object = {}) =>
  (spec: SpecDraft): void => {
    spec.phases = {
      ...spec.phases,
      ...{ flannel: { enabled: false }, runtime: { enabled: false } },
      toynet: { ...toynet },
      toyrun: { ...toyrun },
    };
  };
const BUILD = ['preflight', 'prepare', 'toyrun', 'toynet'];
async function build() {
  const changes = [];
  for (const phase of BUILD) changes.push(...(await bench.run({ phase, host: HOST, change: change() })).changes);
  return changes.map(({ action, resource }) => `${action} ${resource}`);
}
const preflight = (toynet: object = {}) => ({ phase: 'preflight', host: HOST, change: change(toynet) });

beforeAll(async () => {
  await bench.open();
  packages = await packageNames(lab, HOST);
  await makeBare(lab, HOST, packages);
  await onHost(lab, HOST, `rm -f /var/lib/kubewright/ledger; echo 0 >${ARP}`);
});
afterAll(async () => {
  await makeBare(lab, HOST, packages);
  await bench.close();
});

test('they are planned in the place of ours, and preflight refuses a host that cannot have them', SLOW, async () => {
  const spec = bench.spec(change());
  const input = { cluster: lab.name, operationId: 'op', kind: 'build', mode: 'apply', specRef: '0'.repeat(64) };
  const plan = makePlan({ ...input, requestId: 'r', actor: { name: 'ann', role: 'operator' } } as never, spec, [
    ...bench.deps.phases.values(),
  ]);
  const names = plan.phases.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(BUILD));
  expect(names).not.toContain('flannel');

  await bench.stops(preflight({ feature: 'toy_absent' }), {
    code: 'KERNEL_FEATURE_MISSING',
    retryable: false,
    cause: /the kernel has no toy_absent, wanted for: toy tunnels/,
    evidence: /neither loaded nor built in/,
  });

  await onHost(lab, HOST, 'mkdir -p /etc/modprobe.d; echo "blacklist toy_tunnel" >/etc/modprobe.d/toy.conf');
  await bench.stops(preflight(), {
    code: 'KERNEL_MODULE_BLOCKED',
    retryable: false,
    cause: /toy\.conf keeps a kernel module from loading/,
    evidence: /blacklist toy_tunnel/,
  });
  await onHost(lab, HOST, 'rm /etc/modprobe.d/toy.conf');

  await onHost(
    lab,
    HOST,
    `cp /usr/bin/systemd-socket-activate /root/stranger
    systemd-run --quiet --unit stranger /root/stranger --listen 4790 /bin/true
    for _ in $(seq 50); do ss -H -l -t -n | grep -q ':4790 ' && break; sleep 0.1; done`,
  );
  await bench.stops(preflight(), {
    code: 'PORT_IN_USE',
    retryable: false,
    cause: /port 4790 is taken by stranger/,
    evidence: /wanted for \/usr\/bin\/systemd-socket-activate/,
  });
  await onHost(lab, HOST, 'systemctl stop stranger.service; rm /root/stranger');
});

test(
  'they are built with what they require, a second build changes nothing, and a teardown takes it back',
  SLOW,
  async () => {
    const changes = await build();
    expect(changes).toEqual(expect.arrayContaining(['create service:toynetd', 'create service:toyrund']));
    expect(
      await onHost(
        lab,
        HOST,
        `systemctl is-active toynetd toyrund; dpkg-query -W -f '\${Package}\\n' hello tree; cat ${ARP}
      grep -c arp_ /etc/sysctl.d/zz-kubewright.conf; grep -xE 'overlay|nf_conntrack|br_netfilter' /etc/modules-load.d/kubewright.conf`,
      ),
    ).toBe('active\nactive\nhello\ntree\n1\n2\nnf_conntrack\noverlay\n');
    // The daemon that holds its port is its own.
    expect(await build()).toEqual([]);

    const { changes: gone } = await bench.run({ phase: 'teardown', kind: 'teardown', host: HOST, change: change() });
    const removed = gone.map(({ action, resource }) => `${action} ${resource}`);
    expect(removed).toEqual(
      expect.arrayContaining([
        'remove service:toynetd.service',
        'remove service:toyrund.service',
        'remove packages:tree',
        'remove packages:hello',
        'update sysctls:net.ipv4.conf.default.arp_filter',
      ]),
    );
    expect(
      await onHost(
        lab,
        HOST,
        `systemctl is-active toynetd toyrund || :; dpkg-query -W hello tree 2>/dev/null || :; cat ${ARP}; ls /etc/sysctl.d/zz-kubewright.conf 2>&1 || :`,
      ),
    ).toMatch(/^inactive\ninactive\n0\nls: cannot access/);
  },
);
