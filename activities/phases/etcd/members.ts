import { Unknown } from '../../resources/unknown.ts';

/** A host as member of the cluster's etcd: what the spec says of it. */
export interface EtcdPeer {
  readonly name: string;
  readonly peerUrl: string;
  readonly clientUrl: string;
}

/** One member as the cluster lists it. */
export interface EtcdMember {
  /** Hexadecimal, as etcdctl takes it. */
  readonly id: string;
  /** Empty for one that was added and has not started; those of a first bootstrap have theirs from the beginning. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** Empty until the member has been part of the cluster for the first time. */
  readonly clientUrls: readonly string[];
  /** Receives everything and has no vote yet. */
  readonly learner: boolean;
}

/** True when it once was part of the cluster, so that other members count on what it has stored. */
export const hasStarted = (member: EtcdMember): boolean => member.clientUrls.length > 0;

/**
 * `etcdctl member list` in its default form: `id, status, name, peer URLs, client URLs, learner`. Other lines are
 * etcdctl's own log. Throws Unknown for half a member.
 */
export function parseMemberList(lines: readonly string[]): EtcdMember[] {
  return lines.flatMap((line) => {
    const fields = line.split(', ');
    const [id = '', , name = '', peerUrls = '', clientUrls = '', learner = ''] = fields;
    if (!/^[0-9a-f]{1,16}$/.test(id)) return [];
    if (fields.length !== 6) throw new Unknown(`half a line of etcdctl: ${line.slice(0, 200)}`);
    const urls = (text: string) => text.split(',').filter((url) => url !== '');
    return [{ id, name, peerUrls: urls(peerUrls), clientUrls: urls(clientUrls), learner: learner === 'true' }];
  });
}

/** One line for people: `cp-3 (https://10.0.0.3:2380)`. */
export function describeMember({ id, name, peerUrls }: EtcdMember): string {
  return `${name === '' ? `unnamed ${id}` : name} (${peerUrls.join(', ')})`;
}

/** `ETCD_INITIAL_CLUSTER` for one that joins: every member just as listed, by the names of the spec where it has them. */
export function initialCluster(
  members: readonly EtcdMember[],
  peers: readonly EtcdPeer[],
): { name: string; peerUrl: string }[] {
  return members.flatMap(({ id, name, peerUrls }) => {
    const known = peers.find((peer) => peerUrls.includes(peer.peerUrl))?.name ?? name;
    return peerUrls.map((peerUrl) => ({ name: known === '' ? `member-${id}` : known, peerUrl }));
  });
}
