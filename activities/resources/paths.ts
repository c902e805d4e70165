/** Our own bookkeeping on a host. Everything in it can be lost: the next run then restarts or verifies once more. */
export const STATE_DIR = '/var/lib/kubewright';

/** What was running or verified with which content. */
export const STAMP_DIR = `${STATE_DIR}/stamps`;

/** What was downloaded to where, with size, mtime and inode, so that large files are not hashed in every run. */
export const ARTIFACT_STAMP_DIR = `${STATE_DIR}/artifacts`;

/** Which image was pushed from which file. */
export const IMAGE_STAMP_DIR = `${STATE_DIR}/images`;

/** Digest of all that a unit depends on, at its last (re)start. */
export const unitStamp = (unit: string): string => `${STAMP_DIR}/unit.${unit}`;

/** Digest of the desired state that a phase verified last. */
export const verifiedStamp = (phase: string): string => `${STAMP_DIR}/verified.${phase}`;

/** A path as one file name: `/usr/local/bin/etcd` -> `usr-local-bin-etcd`; the digest's head keeps names apart. */
export const stampName = (path: string, digest: string): string =>
  `${path.replace(/^\//, '').replaceAll('/', '-')}.${digest.slice(0, 8)}`;
