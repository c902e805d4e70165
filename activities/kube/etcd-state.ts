import { z } from 'zod';

/** sh: `etcd_field JSON KEY` prints a value of an answer of etcd's gateway, empty where the answer has no such key. */
export const ETCD_FIELD = `etcd_field() { printf '%s' "$1" | sed -n "s/.*\\"$2\\":\\"\\{0,1\\}\\([0-9a-z]*\\).*/\\1/p"; }`;

/** A member of etcd as its own host sees it. */
export interface EtcdMemberState {
  readonly host: string;
  /** Why its host could not be asked; the rest is unknown then. */
  readonly away: string | null;
  /** It says that it is healthy: in touch with a majority, and without an alarm. */
  readonly healthy: boolean;
  /** It knows a leader, which only a majority elects. */
  readonly hasLeader: boolean;
  /** It is the leader. */
  readonly leads: boolean;
  /** It answers clients. */
  readonly answers: boolean;
  /** State of its unit, in words of systemd. */
  readonly unit: string;
  /** No data of a member is on the host. */
  readonly empty: boolean;
  /** Revision of the keys that it has, where that can be seen. */
  readonly revision: bigint | null;
  /** Index of the last entry of its log, where that can be seen. */
  readonly index: bigint | null;
}

const number = z.string().regex(/^[0-9]{1,20}$/);
/** Of etcd's gateway: 64-bit numbers are texts, and what is 0 is left out. */
const status = z.looseObject({
  header: z.looseObject({ member_id: number, revision: number.default('0') }),
  leader: number.default('0'),
  raftIndex: number.default('0'),
});

/** A line of `etcd_state`, without its first word. Never throws: what cannot be read is not known. */
export function parseEtcdState([
  host = '',
  unit = '',
  health = '',
  said = '',
  index = '',
  revision = '',
]: readonly string[]): EtcdMemberState {
  const seen = statusOf(said);
  const whole = (text: string) => (number.safeParse(text).success ? BigInt(text) : null);
  return {
    ...{ host, unit, away: null },
    healthy: /"health":\s*"true"/.test(health),
    hasLeader: seen !== null && seen.leader !== '0',
    leads: seen !== null && seen.leader !== '0' && seen.leader === seen.header.member_id,
    answers: seen !== null,
    empty: revision === 'none',
    revision: seen ? whole(seen.header.revision) : whole(revision),
    index: seen ? whole(seen.raftIndex) : whole(index),
  };
}

function statusOf(text: string): z.output<typeof status> | null {
  try {
    return status.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
