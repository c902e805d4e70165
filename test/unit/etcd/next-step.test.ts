import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EtcdMember, initialCluster, parseMemberList } from '../../../activities/phases/etcd/members.ts';
import { type EtcdIntent, nextStep } from '../../../activities/phases/etcd/next-step.ts';
import { type EtcdView, parseView } from '../../../activities/phases/etcd/observe.ts';
import { Unknown } from '../../../activities/resources/unknown.ts';
import { majority } from '../../../contracts/quorum.ts';

const peer = (index: number) => ({
  name: `cp-${index}`,
  peerUrl: `https://10.0.0.${index}:2380`,
  clientUrl: `https://10.0.0.${index}:2379`,
});
const member = (index: number, more: Partial<EtcdMember> = {}): EtcdMember => ({
  id: `${index}`,
  name: `cp-${index}`,
  peerUrls: [peer(index).peerUrl],
  clientUrls: [peer(index).clientUrl],
  learner: false,
  ...more,
});
const UNSTARTED = { name: '', clientUrls: [] };

/** cp-3 of three looks at the cluster; the healthy ones by number. */
const view = (members: EtcdMember[] | null, healthy: number[], more: Partial<EtcdView> = {}): EtcdView => ({
  data: null,
  running: false,
  othersQueried: true,
  healthy: new Set(healthy.map((index) => peer(index).clientUrl)),
  members,
  ...more,
});
const step = (seen: EtcdView, more: Partial<EtcdIntent> = {}) =>
  nextStep(seen, {
    self: peer(3),
    others: [peer(1), peer(2)],
    token: 'here',
    formed: 'here',
    waitedMs: 0,
    ...more,
  });
const founded = (token: string, id: string | null = null) => ({ data: { founded: true, token, id } });

describe('a host without data', () => {
  it('founds a cluster only while none was formed', () => {
    expect(step(view(null, []), { formed: null })).toEqual({ do: 'found' });
    expect(step(view(null, []))).toMatchObject({ do: 'refuse', why: expect.stringContaining('data of this member') });
    expect(step(view(null, []), { others: [] })).toMatchObject({ do: 'refuse' });
  });

  it('joins as the founder that the others wait for, also before the founding is recorded', () => {
    const members = [member(1), member(2), member(3, { clientUrls: [] })];
    expect(step(view(members, [1, 2]))).toEqual({ do: 'join', members });
    expect(step(view(members, [1, 2]), { formed: null })).toEqual({ do: 'join', members });
  });

  it('is removed first when it was part of the cluster: its memory is gone', () => {
    const members = [member(1), member(2), member(3)];
    expect(step(view(members, [1, 2]))).toMatchObject({ do: 'remove', member: { id: '3' } });
  });

  it('is removed first when it returns with another address, started or not', () => {
    for (const clientUrls of [['https://10.0.0.9:2379'], []]) {
      const old = member(3, { peerUrls: ['https://10.0.0.9:2380'], clientUrls });
      expect(step(view([member(1), member(2), old], [1, 2]))).toMatchObject({ do: 'remove', member: { id: '3' } });
    }
  });

  it('is added as a learner once the old member is gone, and joins once it is listed', () => {
    expect(step(view([member(1), member(2)], [1, 2]))).toEqual({ do: 'add' });
    const members = [member(1), member(2), member(3, { ...UNSTARTED, learner: true })];
    expect(step(view(members, [1, 2]))).toEqual({ do: 'join', members });
  });

  it('removes a member that was added for an address without a host', () => {
    const orphan = member(3, { ...UNSTARTED, peerUrls: ['https://10.0.0.9:2380'], learner: true });
    expect(step(view([member(1), member(2), orphan], [1, 2]))).toMatchObject({ do: 'remove', member: { id: '3' } });
  });

  it('waits for another that is joining, but not for ever for one that does not start', () => {
    const others = [peer(1), peer(2), peer(4)];
    const joining = member(4, { ...UNSTARTED, learner: true });
    const seen = view([member(1), member(2), joining], [1, 2]);
    expect(step(seen, { others })).toMatchObject({ do: 'wait' });
    expect(step(seen, { others, waitedMs: 60_000 })).toMatchObject({ do: 'remove', member: { id: '4' } });
    // One that is alive and has much to copy keeps its place.
    const copying = view([member(1), member(2), member(4, { learner: true })], [1, 2, 4]);
    expect(step(copying, { others, waitedMs: 600_000 })).toMatchObject({ do: 'wait' });
  });

  it('refuses to remove its old member when that would leave an unhealthy majority', () => {
    const [others, members] = [[1, 2, 4, 5].map(peer), [1, 2, 3, 4, 5].map((index) => member(index))];
    expect(step(view(members, [1, 2, 4]), { others })).toMatchObject({ do: 'remove' });
    expect(step(view(members, [1, 2]), { others })).toMatchObject({
      do: 'refuse',
      why: expect.stringMatching(/of the other 4 members only 2 are healthy \(not: cp-4 .*, cp-5/),
    });
  });
});

describe('a host with data', () => {
  it('is not changed while it runs, while no member answers, and while the cluster lists it', () => {
    expect(step(view(null, [], { ...founded('here'), running: true }))).toEqual({ do: 'none' });
    expect(step(view(null, [], founded('here')))).toEqual({ do: 'none' });
    expect(step(view(null, [], founded('here')), { formed: null })).toEqual({ do: 'none' });
    expect(step(view([member(1), member(2), member(3)], [1, 2], founded('old')))).toEqual({ do: 'none' });
    const joined = { data: { founded: false, token: 'any', id: null } };
    const fresh = member(3, { ...UNSTARTED, learner: true });
    expect(step(view([member(1), member(2), fresh], [1, 2], joined))).toEqual({ do: 'none' });
  });

  it('starts again when the cluster has removed it', () => {
    expect(step(view([member(1), member(2)], [1, 2], founded('here')))).toMatchObject({ do: 'put-aside' });
    // Another machine has taken its name: the data is known by its id.
    const taken = [member(1), member(2), member(3, { id: 'ab' })];
    expect(step(view(taken, [1, 2], founded('here', 'cd')))).toMatchObject({ do: 'put-aside' });
    expect(step(view(taken, [1, 2], founded('here', 'ab')))).toEqual({ do: 'none' });
  });

  it('starts again when it belongs to an unfinished founding with other members', () => {
    expect(step(view(null, [], founded('old')), { formed: null })).toMatchObject({ do: 'put-aside' });
    const waiting = member(3, { clientUrls: [] });
    expect(step(view([member(1), member(2), waiting], [1, 2], founded('old')))).toMatchObject({ do: 'put-aside' });
    expect(step(view([member(1), member(2), waiting], [1, 2], founded('here')))).toEqual({ do: 'none' });
  });
});

it('no step removes a vote while fewer than a majority of the others are healthy', () => {
  const members = fc.array(
    fc.record({ started: fc.boolean(), learner: fc.boolean(), moved: fc.boolean(), healthy: fc.boolean() }),
    { minLength: 1, maxLength: 7 },
  );
  fc.assert(
    fc.property(
      members,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 0, max: 120_000 }),
      (drawn, own, waitedMs) => {
        const listed = drawn.map(({ started, learner, moved }, index) =>
          member(index + 1, {
            learner,
            ...(started ? {} : UNSTARTED),
            ...(moved ? { peerUrls: [`https://10.9.0.${index + 1}:2380`] } : {}),
          }),
        );
        const healthy = drawn.flatMap((each, index) =>
          each.healthy && each.started && index + 1 !== own ? [index + 1] : [],
        );
        const others = drawn.flatMap((_, index) => (index + 1 === own ? [] : [peer(index + 1)]));
        const taken = step(view(listed, healthy), { self: peer(own), others, waitedMs });
        if (taken.do !== 'remove' || taken.member.learner) return;
        const staying = listed.filter((each) => !each.learner && each.id !== taken.member.id);
        const well = staying.filter((each) => healthy.includes(Number(each.id)));
        expect(well.length).toBeGreaterThanOrEqual(majority(staying.length));
      },
    ),
  );
});

describe('what the host prints', () => {
  it('is read: data, initial state, healthy members, all members', () => {
    const seen = parseView(
      [
        'data yes',
        'id=91bc3c398fb3c146',
        'ETCD_INITIAL_CLUSTER_TOKEN=demo-1',
        'ETCD_INITIAL_CLUSTER_STATE=new',
        'asked',
        'healthy https://10.0.0.1:2379',
        'members',
        '8211f1d0f64f3269, started, cp-1, https://10.0.0.1:2380, https://10.0.0.1:2379, false',
        '91bc3c398fb3c146, unstarted, , https://10.0.0.3:2380, , true',
        'end',
        '',
      ].join('\n'),
    );
    expect(seen).toEqual({
      data: { founded: true, token: 'demo-1', id: '91bc3c398fb3c146' },
      running: false,
      othersQueried: true,
      healthy: new Set(['https://10.0.0.1:2379']),
      members: [
        { ...member(1), id: '8211f1d0f64f3269' },
        { ...member(3), ...UNSTARTED, id: '91bc3c398fb3c146', learner: true },
      ],
    });
  });

  it('is nothing on a bare host', () => {
    expect(parseView('data no\nend\n')).toEqual({
      data: null,
      running: false,
      othersQueried: false,
      healthy: new Set(),
      members: null,
    });
    expect(parseMemberList(['{"level":"warn","msg":"retrying"}', 'no member list', ''])).toEqual([]);
  });

  it('is unknown where it breaks off, or where healthy members do not list themselves', () => {
    const seen = ['data no', 'asked', 'healthy https://10.0.0.1:2379'];
    const line = '8211f1d0f64f3269, started, cp-1, https://10.0.0.1:2380, https://10.0.0.1:2379, false';
    expect(parseView([...seen, 'members', line, 'end'].join('\n')).members).toHaveLength(1);
    // Without its last lines this would be a host that may found a cluster, or whose data has no owner.
    for (const cut of [
      [],
      seen,
      [...seen, 'members', line],
      [...seen, 'members', line.slice(0, 40), 'end'],
      [...seen, 'members', '', 'end'],
      [...seen, 'unknown etcdctl member list: {"level":"warn"} Error: etcdserver: request timed out', 'end'],
      [...seen, 'unknown etcdctl member list: Error: etcdserver: too many requests', 'end'],
      ['unknown ls: cannot access /var/lib/etcd/member/wal: Input/output error', 'end'],
    ]) {
      expect(() => parseView(cut.join('\n'))).toThrow(Unknown);
    }
  });

  it('becomes the list with which a member joins', () => {
    const listed = [member(1), member(3, { ...UNSTARTED }), member(9, { ...UNSTARTED, id: 'abc' })];
    expect(initialCluster(listed, [peer(1), peer(3)])).toEqual([
      { name: 'cp-1', peerUrl: peer(1).peerUrl },
      { name: 'cp-3', peerUrl: peer(3).peerUrl },
      { name: 'member-abc', peerUrl: peer(9).peerUrl },
    ]);
  });
});
