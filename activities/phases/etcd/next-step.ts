import { majority } from '../../../contracts/quorum.ts';
import { describeMember, type EtcdMember, type EtcdPeer, hasStarted } from './members.ts';
import type { EtcdView } from './observe.ts';

/** What to do next so that this host has a member of the cluster. */
export type EtcdStep =
  /** Nothing: it is a member, and starts as one. */
  | { readonly do: 'none' }
  /** Begin as one of the founders. */
  | { readonly do: 'found' }
  /** Its data belongs to no member of this cluster: move it out of the way. */
  | { readonly do: 'put-aside'; readonly why: string }
  | { readonly do: 'remove'; readonly member: EtcdMember; readonly why: string }
  /** Become a learner: it gets a vote when it has caught up, so adding it never costs the majority. */
  | { readonly do: 'add' }
  /** The cluster expects it: begin with these members. */
  | { readonly do: 'join'; readonly members: readonly EtcdMember[] }
  | { readonly do: 'wait'; readonly why: string }
  | { readonly do: 'refuse'; readonly why: string };

export interface EtcdIntent {
  readonly self: EtcdPeer;
  readonly others: readonly EtcdPeer[];
  /** Names the founding that this host would take part in: the same for all hosts that begin with the same members. */
  readonly token: string;
  /** The token of the founding that succeeded; null while there was none. After that no host founds again. */
  readonly formed: string | null;
  /** How long it has been waiting for its turn, ms. */
  readonly waitedMs: number;
}

/** etcd takes one learner at a time. One that does not begin within this time gives up its place, ms. */
const LEARNER_TIMEOUT_MS = 60_000;

/**
 * The membership rules, as one step from what is seen. Pure: the caller carries the step out, then observes again, so a
 * crash between any two of them only means to go on from there.
 */
export function nextStep(view: EtcdView, intent: EtcdIntent): EtcdStep {
  if (view.data !== null && view.running) return { do: 'none' };
  if (view.members === null) return withoutCluster(view, intent);
  const own = view.members.filter(({ name, peerUrls }) => isOwn(intent.self, name, peerUrls));
  if (view.data === null) return withoutData(view, view.members, own, intent);
  const { id } = view.data;
  const listed = id === null ? own : view.members.filter((member) => member.id === id);
  return withData(view.data, listed, intent);
}

const isOwn = (self: EtcdPeer, name: string, peerUrls: readonly string[]): boolean =>
  name === self.name || peerUrls.includes(self.peerUrl);

function withoutCluster({ data }: EtcdView, { token, formed, others }: EtcdIntent): EtcdStep {
  if (formed !== null) {
    // With its data it is waited for; a member that lost it has forgotten what it voted for and must not come back so.
    if (data !== null) return { do: 'none' };
    const rest = others.length === 0 ? 'there is no other member' : 'no majority of the other members answers';
    return { do: 'refuse', why: `the data of this member is gone and ${rest}` };
  }
  if (data?.founded && data.token !== token) {
    return { do: 'put-aside', why: 'it was to found a cluster with other members, which never came about' };
  }
  return data === null ? { do: 'found' } : { do: 'none' };
}

/** `listed`: what the cluster lists of the member that the data belongs to; where its id is unknown, of this host. */
function withData(
  data: NonNullable<EtcdView['data']>,
  listed: readonly EtcdMember[],
  { formed }: EtcdIntent,
): EtcdStep {
  if (listed.length === 0) return { do: 'put-aside', why: 'the cluster has removed the member that it belongs to' };
  const neverIn = listed.every((member) => !hasStarted(member));
  if (neverIn && data.founded && formed !== null && data.token !== formed) {
    return { do: 'put-aside', why: 'it is of another founding than the one that succeeded' };
  }
  return { do: 'none' };
}

function withoutData(
  view: EtcdView,
  members: readonly EtcdMember[],
  own: readonly EtcdMember[],
  { self, others, waitedMs }: EtcdIntent,
): EtcdStep {
  const stale = own.find((member) => hasStarted(member) || !member.peerUrls.includes(self.peerUrl));
  if (stale) {
    const why = stale.peerUrls.includes(self.peerUrl) ? 'its data is gone' : 'the host has another address now';
    return removal(view, members, stale, why);
  }
  if (own.length > 0) return { do: 'join', members };
  const expected = new Set([self, ...others].map(({ peerUrl }) => peerUrl));
  const orphan = members.find((each) => !hasStarted(each) && !each.peerUrls.some((url) => expected.has(url)));
  if (orphan) return removal(view, members, orphan, 'it never started and no host of the cluster has its address');
  const learner = members.find((each) => each.learner);
  if (!learner) return { do: 'add' };
  const alive = learner.clientUrls.some((url) => view.healthy.has(url));
  if (waitedMs >= LEARNER_TIMEOUT_MS && !alive) {
    return { do: 'remove', member: learner, why: 'it holds the place for a new member and does not start' };
  }
  return { do: 'wait', why: `${describeMember(learner)} is still joining` };
}

/** Removing is allowed only while more than half of those who stay and vote are well. Learners have no vote. */
function removal(view: EtcdView, members: readonly EtcdMember[], member: EtcdMember, why: string): EtcdStep {
  if (member.learner) return { do: 'remove', member, why };
  const staying = members.filter((each) => !each.learner && each.id !== member.id);
  const well = staying.filter(({ clientUrls }) => clientUrls.some((url) => view.healthy.has(url)));
  if (staying.length > 0 && well.length >= majority(staying.length)) return { do: 'remove', member, why };
  const sick = staying.filter((each) => !well.includes(each)).map(describeMember);
  return {
    do: 'refuse',
    why: `${describeMember(member)} must be removed first, and of the other ${staying.length} members only ${well.length} are healthy (not: ${sick.join(', ')})`,
  };
}
