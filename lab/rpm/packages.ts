import type { RpmPackage } from './spec.ts';

/** A package of the RHEL family that is made from one of Debian, with the names and files of the RHEL family. */
export interface RepackedPackage {
  /** As the RHEL family calls it. */
  readonly rpm: string;
  /** As Debian calls it; what it needs beyond the base image is packed into the same RPM. */
  readonly debian: string;
  readonly summary: string;
  /** Paths of Debian's package that the RHEL family's does not have. */
  readonly without?: readonly string[];
  /** Files that are written, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Links, by path. */
  readonly links?: Readonly<Record<string, string>>;
  /** A system account, which it makes and leaves behind when it is removed, as packages of the RHEL family do. */
  readonly account?: string;
  /** Accounts that own folders, by path. */
  readonly owners?: Readonly<Record<string, string>>;
  /** A unit that is enabled when the package is installed, as the presets of the RHEL family do; it is not started. */
  readonly enables?: string;
}

/** Debian has these by `update-alternatives`, which no RPM of ours runs. */
const iptablesLinks = Object.fromEntries(
  ['iptables', 'ip6tables'].flatMap((tool) =>
    ['', '-save', '-restore'].map((word) => [`/usr/sbin/${tool}${word}`, 'xtables-nft-multi']),
  ),
);

/**
 * chronyd of the RHEL family: unit, environment and configuration have other names and places. Debian's program looks for
 * its configuration elsewhere; of two `-f` the last one counts.
 */
const CHRONYD = `[Unit]
Description=NTP client/server
After=network.target
Conflicts=systemd-timesyncd.service

[Service]
Type=forking
PIDFile=/run/chrony/chronyd.pid
EnvironmentFile=-/etc/sysconfig/chronyd
ExecStart=/usr/sbin/chronyd -f /etc/chrony.conf $OPTIONS

[Install]
WantedBy=multi-user.target
`;

/** What the repository of a lab has: packages that phases install on hosts of the RHEL family. */
export const REPACKED: readonly RepackedPackage[] = [
  {
    rpm: 'chrony',
    debian: 'chrony',
    summary: 'NTP client and server',
    without: ['/etc/chrony', '/etc/default', '/usr/lib/systemd/system/chrony.service', '/usr/share/chrony'],
    files: {
      '/usr/lib/systemd/system/chronyd.service': CHRONYD,
      '/etc/chrony.conf': 'pool pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\nmakestep 1.0 3\nrtcsync\n',
      '/etc/sysconfig/chronyd': 'OPTIONS="-F 2 -x"\n',
    },
    account: '_chrony',
    owners: { '/var/lib/chrony': '_chrony', '/var/log/chrony': '_chrony' },
    enables: 'chronyd.service',
  },
  { rpm: 'conntrack-tools', debian: 'conntrack', summary: 'Table of connections' },
  {
    rpm: 'iptables-nft',
    debian: 'iptables',
    summary: 'iptables on nftables',
    without: ['/usr/sbin/xtables-legacy-multi'],
    links: iptablesLinks,
  },
  { rpm: 'nftables', debian: 'nftables', summary: 'Packet filter' },
  { rpm: 'ethtool', debian: 'ethtool', summary: 'Settings of network interfaces' },
  { rpm: 'socat', debian: 'socat', summary: 'Relay between byte streams' },
  { rpm: 'ipset', debian: 'ipset', summary: 'Sets of addresses' },
  { rpm: 'ipvsadm', debian: 'ipvsadm', summary: 'Virtual servers of the kernel' },
  {
    rpm: 'haproxy',
    debian: 'haproxy',
    summary: 'TCP and HTTP balancer',
    without: ['/etc/default'],
    account: 'haproxy',
  },
  { rpm: 'keepalived', debian: 'keepalived', summary: 'VRRP', without: ['/etc/default'] },
  { rpm: 'tree', debian: 'tree', summary: 'Lists folders' },
];

/** Packages that every system of the family has: the base image has their files from Debian, the RPM database their names. */
const PRESENT = [
  'bash',
  'ca-certificates',
  'coreutils',
  'curl-minimal',
  'firewalld',
  'iproute',
  'kmod',
  'openssh-server',
  'procps-ng',
  'sudo',
  'systemd',
  'util-linux',
];

/** What scripts and packages require of the base system. */
const CAPABILITIES = ['/bin/sh', '/usr/bin/sh', '/bin/bash', '/usr/sbin/useradd', 'glibc', 'setup', 'filesystem'];

/** The packages without files that stand for the base system, the release package of the distribution first. */
export function basePackages(release: { name: string; version: string }): RpmPackage[] {
  const { name, version } = release;
  const major = version.split('.')[0] ?? version;
  const provides = [`system-release = ${version}`, `system-release(releasever) = ${major}`, ...CAPABILITIES];
  return [
    { name, version, summary: 'Release of the distribution', arch: 'noarch', provides },
    ...PRESENT.map((each): RpmPackage => ({ name: each, version, summary: 'Part of the base system', arch: 'noarch' })),
  ];
}
