import { CGO_DEBIAN_PACKAGES } from './sources/go-build.ts';

/** Debian packages of this machine that filling a whole mirror needs; each source also installs its own when it runs. */
export const mirrorDebianPackages: readonly string[] = [...CGO_DEBIAN_PACKAGES, 'mmdebstrap', 'ca-certificates'];
