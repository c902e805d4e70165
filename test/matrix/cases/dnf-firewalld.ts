import { defineMatrixCase } from '../kit/case.ts';
import type { MatrixKit } from '../kit/kit.ts';

/** Rich rules, and sources of the zone `trusted`, that firewalld has now. */
const rules = (kit: MatrixKit, host: string) =>
  kit.onHost(
    host,
    'firewall-cmd --list-rich-rules; firewall-cmd --permanent --list-rich-rules | sed "s/^/kept /"; firewall-cmd --zone=trusted --list-sources | sed "s/^/trusted /"',
  );

/** Throws an Error unless a host has a rule for each port, from this address, in force and for good. */
async function expectOpen(kit: MatrixKit, host: string, from: string, ports: readonly string[]): Promise<void> {
  const found = (await rules(kit, host)).split('\n');
  const wanted = ports.map((each) => {
    const [port, protocol] = each.split('/');
    return `rule family="ipv4" source address="${from}" port port="${port}" protocol="${protocol}" accept`;
  });
  const missing = wanted.filter((rule) => !found.includes(rule) || !found.includes(`kept ${rule}`));
  if (missing.length > 0) throw new Error(`${host} lacks ${missing.join('; ')} of:\n${found.join('\n')}`);
}

/** Each host opens the ports of its own roles, to those that need them: no zone is opened, no rule is for any address. */
async function onlyPortsOfRoles(kit: MatrixKit): Promise<void> {
  const address = (role: string) => kit.cluster.spec.hosts.filter(({ roles }) => roles.includes(role as 'worker'));
  const [control] = address('control-plane');
  const worker = address('worker').find(({ name }) => name !== control!.name);
  await expectOpen(kit, control!.name, worker!.address, ['6443/tcp', '5000/tcp', '10250/tcp', '8472/udp']);
  await expectOpen(kit, worker!.name, control!.address, ['10250/tcp', '8472/udp']);
  const found = await rules(kit, worker!.name);
  if (!found.includes(`trusted ${kit.cluster.spec.network.podCidr}`))
    throw new Error(`pods are not trusted:\n${found}`);
  for (const port of ['6443', '2379', '2380'])
    if (found.includes(`port port="${port}"`)) throw new Error(`a worker opens ${port}:\n${found}`);
  const ports = await kit.onHost(worker!.name, 'firewall-cmd --list-ports; firewall-cmd --list-services');
  if (/6443|10250/.test(ports)) throw new Error(`ports are open to all: ${ports}`);
}

/** dnf has installed the packages by the names of the family, and rpm verifies that they were signed. */
async function signedPackages(kit: MatrixKit): Promise<void> {
  for (const { name } of kit.cluster.spec.hosts) {
    const said = await kit.onHost(
      name,
      `rpm -q --qf '%{NAME} %{RSAHEADER:pgpsig}\\n' chrony conntrack-tools iptables-nft nftables 2>/dev/null
systemctl is-active chronyd firewalld
grep -q '^gpgcheck=1' /etc/yum.repos.d/*.repo && echo checked
command -v apt-get dpkg || echo 'no apt'`,
    );
    if ((said.match(/RSA\/SHA/g) ?? []).length !== 4 || !/active\nactive\nchecked\nno apt/.test(said))
      throw new Error(`${name}: ${said}`);
  }
}

/** A port that no rule names does not answer from another host, and answers on the host itself: firewalld filters. */
async function othersAreRefused(kit: MatrixKit): Promise<void> {
  const [control, worker] = kit.cluster.spec.hosts;
  const listen =
    'systemd-run --quiet --unit=matrix-listen systemd-socket-activate --listen 7777 --inetd --accept /bin/echo open';
  await kit.onHost(worker!.name, listen);
  try {
    const ask = (target: string) =>
      `for n in 1 2 3; do timeout 3 bash -c ': <>"/dev/tcp/$1/7777"' ask ${target} 2>/dev/null && { echo open; exit 0; }; sleep 0.3; done; echo closed`;
    const [inside, outside] = [
      await kit.onHost(worker!.name, ask('127.0.0.1')),
      await kit.onHost(control!.name, ask(worker!.address)),
    ];
    if (inside.trim() !== 'open' || outside.trim() !== 'closed')
      throw new Error(
        `port 7777 of ${worker!.name}: from itself ${inside.trim()}, from ${control!.name} ${outside.trim()}`,
      );
  } finally {
    await kit.onHost(
      worker!.name,
      'systemctl stop matrix-listen.service; systemctl reset-failed matrix-listen.service 2>/dev/null || :',
    );
  }
}

/** Hosts of the RHEL family with firewalld running, as they come. */
export default defineMatrixCase({
  title: 'Rocky 9 hosts: dnf with signed packages, firewalld running',
  os: 'rocky9',
  hosts: { 'control-plane': 1, worker: 2 },
  spec: () => undefined,
  change: (draft) => {
    draft.phases['prepare'] = { ...draft.phases['prepare'], packages: ['socat'] };
  },
  checks: [
    { title: 'packages are signed and have the names of the family', run: signedPackages },
    { title: 'firewalld opens the ports of each role, to its clients', run: onlyPortsOfRoles },
    { title: 'firewalld refuses other ports', run: othersAreRefused },
  ],
});
