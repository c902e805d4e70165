import { createHash } from 'node:crypto';
import type { PhaseContext } from './phase.ts';

/** What the verification of a phase depends on beside its resources: its options and its peers. */
export const verifiedIdentity = ({ options, peers }: Pick<PhaseContext<unknown>, 'options' | 'peers'>): string =>
  createHash('sha256')
    .update(JSON.stringify({ options, peers: peers.map((peer) => peer.name) }))
    .digest('hex');
