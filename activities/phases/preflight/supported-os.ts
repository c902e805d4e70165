import type { HostFacts } from '../../host/types.ts';

/** The RHEL family by the ID of /etc/os-release. */
const RHEL_FAMILY = ['almalinux', 'centos', 'eurolinux', 'ol', 'rhel', 'rocky', 'scientific'];

/** Debian 12+, Ubuntu 22.04+, RHEL family 9+. Debian testing and unstable carry no version: they are newer. */
export function supportedOs(os: HostFacts['os']): boolean {
  const [major = 0, minor = 0] = os.versionId.split('.').map(Number);
  if (os.id === 'debian') return os.versionId === '' || major >= 12;
  if (os.id === 'ubuntu') return major > 22 || (major === 22 && minor >= 4);
  return (RHEL_FAMILY.includes(os.id) || os.idLike.includes('rhel')) && major >= 9;
}
