import type { ErrorCode } from '../../contracts/errors.ts';
import { digestOfParts, short } from '../resources/digest.ts';
import type { EtcdKey } from './etcd-grpc.ts';

/**
 * The part of an etcd in which the first members of another one find each other (etcd, api/v3discovery): the number of members
 * under `_config/size`, and each member under `members/<id>` as `<name>=<peer URL>`. `_config/kubewright` is ours: the cluster
 * that uses the token. etcd ignores it.
 */

/** A member as it registers itself. */
export interface Founder {
  readonly name: string;
  readonly peerUrl: string;
}

/** What is registered under a token; null: no such key. */
export interface EtcdRegistry {
  readonly size: string | null;
  readonly claim: string | null;
  /** `<name>=<peer URL>`, as the members registered. */
  readonly members: readonly string[];
}

/** What the cluster wants to use a token for. */
export interface Founding {
  readonly token: string;
  /** This cluster's claim; null while it has no authority, so that it cannot have used any token. */
  readonly claim: string | null;
  readonly founders: readonly Founder[];
}

/** How all keys of a token begin. */
export const registryPrefix = (token: string): string => `/_etcd/registry/${token}/`;
export const registrySizeKey = (token: string): string => `${registryPrefix(token)}_config/size`;
export const registryClaimKey = (token: string): string => `${registryPrefix(token)}_config/kubewright`;

/**
 * What a cluster writes under the token that it uses: its name, and a digest of its authority, which a cluster that is torn down
 * and built again does not keep.
 */
export const registryClaim = (cluster: string, ca: string): string => `${cluster} ${short(digestOfParts([ca]))}`;

/** Sorts the keys of a token. */
export function registryOf(token: string, keys: readonly EtcdKey[]): EtcdRegistry {
  const value = (name: string) => keys.find(({ key }) => key === name)?.value ?? null;
  return {
    size: value(registrySizeKey(token)),
    claim: value(registryClaimKey(token)),
    members: keys
      .filter(({ key }) => key.startsWith(`${registryPrefix(token)}members/`))
      .map(({ value }) => value.slice(0, 300))
      .sort(),
  };
}

/**
 * Why a cluster cannot be founded with what is registered; null when it can. Registrations of its own members are those of an
 * attempt that ended early. Pure.
 */
export function registryProblem(
  { size, claim, members }: EtcdRegistry,
  { token, claim: own, founders }: Founding,
): { code: ErrorCode; message: string; evidence: string } | null {
  const ours = new Set(founders.map(({ name, peerUrl }) => `${name}=${peerUrl}`));
  const strangers = members.filter((member) => !ours.has(member));
  const claimed = claim !== null && claim !== own;
  const evidence = [
    `token ${token}: size ${size ?? 'not set'}, used by ${claim ?? 'no cluster'}`,
    `registered: ${members.slice(0, 20).join(', ') || 'no member'}`,
    `wanted: ${[...ours].join(', ')}`,
  ].join('\n');
  const used = (by: string) => ({
    code: 'DISCOVERY_TOKEN_USED' as const,
    message: `the discovery token ${token} was used before, by ${by}`,
    evidence,
  });
  if (strangers.length > 0) return used(strangers.slice(0, 3).join(', '));
  if (claimed) return used(`the cluster ${claim.split(' ', 1)[0]}, in an earlier life or elsewhere`);
  if (members.length > 0 && claim === null) return used(members.slice(0, 3).join(', '));
  if (size !== null && size !== String(founders.length)) {
    return {
      code: 'DISCOVERY_UNUSABLE',
      message: `the discovery token ${token} is for ${size.slice(0, 20)} members, and the cluster has ${founders.length} etcd hosts`,
      evidence,
    };
  }
  return null;
}
