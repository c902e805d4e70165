import type { HostFacts } from '../host/types.ts';

/** What systemd-detect-virt calls the kinds of container, as opposed to virtual machines. */
const CONTAINERS = [
  'container-other',
  'docker',
  'incus',
  'lxc',
  'lxc-libvirt',
  'openvz',
  'podman',
  'pouch',
  'proot',
  'rkt',
  'systemd-nspawn',
  'wsl',
];

/** True when the host shares its kernel, and so the clock and most sysctls, with others. */
export function isContainer(facts: HostFacts): boolean {
  return CONTAINERS.includes(facts.virtualization);
}
