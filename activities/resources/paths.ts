/**
 * Our own bookkeeping on a host. All but the ledger can be lost: the next run then restarts or verifies once more.
 * A teardown without its ledger takes what the phases would place for ours.
 */
export const STATE_DIR = '/var/lib/kubewright';

/** What was running or verified with which content. */
export const STAMP_DIR = `${STATE_DIR}/stamps`;

/** What was downloaded to where, with size, mtime and inode, so that large files are not hashed in every run. */
export const ARTIFACT_STAMP_DIR = `${STATE_DIR}/artifacts`;

/** What kubectl remembers of an API server's kinds; in its default place it would lie among a person's own. */
export const KUBECTL_CACHE_DIR = `${STATE_DIR}/kubectl-cache`;

/** Which image was pushed from which file. */
export const IMAGE_STAMP_DIR = `${STATE_DIR}/images`;

/** What we placed on the host, in the order of placing, and what was there before: see ledger.ts. */
export const LEDGER_DIR = `${STATE_DIR}/ledger`;
export const LEDGER = `${LEDGER_DIR}/placed`;
/** Copies of what we replaced, by the digest of its path. */
export const KEPT_DIR = `${LEDGER_DIR}/kept`;
/** There when the ledger was begun on a host that a version without one had built. */
export const LEDGER_PARTIAL = `${LEDGER_DIR}/partial`;

/** There while a package manager of ours works: found later, it says that one was killed. */
export const PACKAGES_AT_WORK = `${STATE_DIR}/packages-at-work`;

/** Digest of all that a unit depends on, at its last (re)start. */
export const unitStamp = (unit: string): string => `${STAMP_DIR}/unit.${unit}`;

/** Digest of the desired state that a phase verified last. */
export const verifiedStamp = (phase: string): string => `${STAMP_DIR}/verified.${phase}`;

/** A path as one file name: `/usr/local/bin/etcd` -> `usr-local-bin-etcd`; the digest's head keeps names apart. */
export const stampName = (path: string, digest: string): string =>
  `${path.replace(/^\//, '').replaceAll('/', '-')}.${digest.slice(0, 8)}`;
