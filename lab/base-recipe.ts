import { createHash } from 'node:crypto';
import type { AptAccess } from './machine.ts';
import { RPM_HOST_FILES, RPM_HOST_PACKAGES } from './rpm/host.ts';
import { REPACKED, type RepackedPackage } from './rpm/packages.ts';
import { DEFAULT_SYSTEM, type LabSystem, labSystem } from './systems.ts';

/** The Debian release of the hosts. */
export const SUITE = 'bookworm';

/**
 * Bare, like a provider's smallest image: what Kubernetes needs beyond this is for the product's phases to install.
 * libpam-systemd makes logins real sessions, as they are on every server.
 */
const PACKAGES = [
  'systemd',
  'systemd-sysv',
  'dbus',
  'libpam-systemd',
  'openssh-server',
  'sudo',
  'procps',
  'kmod',
  'iproute2',
  'iputils-ping',
  'ca-certificates',
  'curl',
];

/** A host is an nspawn container: it starts with parts of /proc and /sys read-only and without /dev/kmsg. */
const BOOT_UNIT = `[Unit]
Description=Makes this lab host as writable as a machine
DefaultDependencies=no
Before=sysinit.target systemd-sysctl.service systemd-tmpfiles-setup-dev.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/kubewright-lab-boot

[Install]
WantedBy=sysinit.target
`;

const BOOT_SCRIPT = `#!/bin/sh
# /sys itself stays read-only: where it is not, systemd-networkd waits for a udev that containers do not have.
mount -o remount,bind,rw /proc/sys
for hierarchy in /sys/fs/cgroup/*/; do
  mountpoint -q "$hierarchy" && mount -o remount,bind,rw "$hierarchy"
done
# The kubelet watches the kernel's messages for out-of-memory kills.
[ -e /dev/kmsg ] || mknod -m 0600 /dev/kmsg c 1 11
exit 0
`;

/** Files of the base image, by path: content and mode. */
const FILES: Record<string, { content: string; mode?: number }> = {
  '/etc/systemd/system/kubewright-lab-boot.service': { content: BOOT_UNIT },
  '/usr/local/lib/kubewright-lab-boot': { content: BOOT_SCRIPT, mode: 0o755 },
  '/etc/sudoers.d/kubewright-lab': {
    content: 'admin ALL=(ALL) NOPASSWD: ALL\noperator ALL=(ALL) NOPASSWD: ALL\n',
    mode: 0o440,
  },
  // All hosts share one clock, the machine's: chronyd answers and compares, but must not steer it.
  '/etc/systemd/system/chrony.service.d/kubewright-lab.conf': {
    content: '[Service]\nEnvironmentFile=/etc/kubewright-lab/chrony\n',
  },
  '/etc/kubewright-lab/chrony': { content: 'DAEMON_OPTS="-F 1 -x"\n' },
  '/etc/systemd/journald.conf.d/kubewright-lab.conf': { content: '[Journal]\nReadKMsg=no\nSystemMaxUse=64M\n' },
};

/** Units that would touch the machine's devices or take apt's lock at random moments. */
const MASKED = [
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'e2scrub_reap.service',
  'e2scrub_all.timer',
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
];

/** Options for dpkg, in the image and while it is made. */
const DPKG = [
  'path-exclude=/usr/share/man/*',
  'path-exclude=/usr/share/locale/*',
  'path-exclude=/usr/share/doc/*',
  'path-include=/usr/share/doc/*/copyright',
  // Neither an image that is built aside nor a host that dies with its machine gains from waiting for the disk.
  'force-unsafe-io',
];

/** Everything that decides what is in a base image. */
export interface BaseRecipe {
  suite: string;
  packages: string[];
  dpkg: string[];
  files: Record<string, { content: string; mode?: number }>;
  masked: string[];
  enabled: string[];
  users: string[];
  apt: AptAccess;
  /** Of a system of the RHEL family: what it says that it is, and the packages of its repository. */
  rpm?: { system: NonNullable<LabSystem['rpm']>; packages: readonly RepackedPackage[] };
  /** Package lists in the image age; every two weeks it is made anew. */
  fortnight: number;
}

/** The recipe for this machine at this time (milliseconds since the epoch). */
export function baseRecipe(apt: AptAccess, now: number, os: string = DEFAULT_SYSTEM): BaseRecipe {
  const { rpm } = labSystem(os);
  const conf = { content: `Acquire::Languages "none";\n${apt.conf}` };
  return {
    suite: SUITE,
    packages: rpm ? [...PACKAGES, ...RPM_HOST_PACKAGES] : PACKAGES,
    dpkg: DPKG,
    files: { ...FILES, ...(rpm ? RPM_HOST_FILES : {}), '/etc/apt/apt.conf.d/90kubewright-lab': conf },
    masked: MASKED,
    enabled: ['systemd-networkd.service', 'kubewright-lab-boot.service'],
    users: ['admin', 'operator'],
    apt,
    ...(rpm ? { rpm: { system: rpm, packages: REPACKED } } : {}),
    fortnight: Math.floor(now / (14 * 24 * 3600_000)),
  };
}

/** The key of a recipe: equal recipes share one image. */
export function recipeDigest(recipe: BaseRecipe): string {
  return createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12);
}
