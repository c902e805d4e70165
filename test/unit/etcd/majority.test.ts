import { describe, expect, it } from 'vitest';
import { lostMajority, unreachableMember } from '../../../activities/kube/etcd-majority.ts';
import { type EtcdMemberState, parseEtcdState } from '../../../activities/kube/etcd-state.ts';
import type { CauseLook } from '../../../activities/phases/cause-look.ts';
import { turnOf } from '../../../activities/phases/etcd/turn.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { dependsOn, rootCause } from '../../../activities/tasks/root-cause.ts';
import { KubewrightError } from '../../../contracts/errors.ts';

const HEALTHY = '{"health":"true","reason":""}';
const NO_LEADER = '{"health":"false","reason":"RAFT NO LEADER"}';
const TIMEOUT = 'curl: (28) Connection timed out after 3000 milliseconds';
/** As etcd 3.6 prints it: 64-bit numbers are texts, and a leader that is not known is left out. */
const status = (id: number, leader: number | null, index = 13) =>
  `{"header":{"cluster_id":"11806749027433314238", "member_id":"${id}", "revision":"41", "raft_term":"3"}, "version":"3.6.14", ${leader === null ? '' : `"leader":"${leader}", `}"raftIndex":"${index}", "raftAppliedIndex":"${index}"}`;
const member = (host: string, ...rest: string[]): EtcdMemberState => parseEtcdState([host, ...rest]);
const well = (host: string, id: number, leader = 1) => member(host, 'active', HEALTHY, status(id, leader));

describe('the state of a member', () => {
  it('is read from its answers, its journal or its data', () => {
    expect(well('a', 1)).toMatchObject({
      healthy: true,
      hasLeader: true,
      leads: true,
      answers: true,
      index: 13n,
      revision: 41n,
    });
    expect(well('b', 2)).toMatchObject({ healthy: true, leads: false });
    expect(member('a', 'active', NO_LEADER, status(1, null))).toMatchObject({
      healthy: false,
      hasLeader: false,
      answers: true,
    });
    expect(member('a', 'activating', TIMEOUT, '', '77')).toMatchObject({ answers: false, index: 77n, revision: null });
    expect(member('a', 'inactive', TIMEOUT, '', '', '9')).toMatchObject({ revision: 9n, empty: false });
    expect(member('a', 'inactive', TIMEOUT, '', '', 'none')).toMatchObject({ revision: null, empty: true });
  });

  it('that cannot be read is not known, whatever was printed', () => {
    for (const row of [[], ['a'], ['a', 'active', '{', '{'], ['a', '', '', '{"header":{}}', 'x', '-1']]) {
      expect(parseEtcdState(row)).toMatchObject({ healthy: false, hasLeader: false, index: null, revision: null });
    }
  });
});

describe('a lost majority', () => {
  const alone = member('a', 'active', NO_LEADER, status(1, null));
  const gone = unreachableMember('b', 'SSH_UNREACHABLE: no route');

  it('comes with what is left on each host, and which has the newest data', () => {
    const starting = member('c', 'activating', TIMEOUT, '', '99');
    expect(lostMajority([alone, gone, starting])).toEqual({
      message: 'etcd has lost its majority: 1 of 3 members answer (a), not b, c',
      evidence: [
        'a: answers, without a leader; revision 41, raft index 13',
        'b: the host cannot be asked: SSH_UNREACHABLE: no route',
        'c: etcd.service is activating and answers no client; raft index 99',
        'newest data that can be seen: c',
      ].join('\n'),
    });
    const stopped = [member('a', 'inactive', TIMEOUT, '', '', '8'), member('c', 'inactive', TIMEOUT, '', '', '9')];
    expect(lostMajority([...stopped, gone])?.evidence).toContain('newest data that can be seen: c');
    expect(lostMajority([alone, { ...alone, host: 'b' }])?.message).toContain(
      'all 2 members run, and do not reach each other',
    );
  });

  it('is none while one member knows a leader, has an alarm alone, or where nothing of etcd was ever seen', () => {
    expect(lostMajority([well('a', 1), gone, gone])).toBeNull();
    const alarmed = member('a', 'active', '{"health":"false","reason":"ALARM NOSPACE"}', status(1, 2));
    expect(lostMajority([alarmed, gone, gone])).toBeNull();
    expect(lostMajority([gone, { ...gone, host: 'c' }])).toBeNull();
    expect(lostMajority([member('a', 'inactive', TIMEOUT, '', '', 'none'), gone])).toBeNull();
    expect(lostMajority([])).toBeNull();
  });
});

describe('the turn of a member', () => {
  const dead = member('c', '', TIMEOUT, TIMEOUT);

  it('is the last one for the leader, the first for one that does not serve, else any', () => {
    const [a, b, c] = [well('a', 1), well('b', 2), well('c', 3)];
    expect(turnOf([a, b, c], [])).toBe('last');
    expect(turnOf([b, a, c], [])).toBeNull();
    expect(turnOf([dead, a, b], [])).toBe('first');
    expect(turnOf([], [])).toBe('first');
  });

  it('is the last one where its stop would leave no majority, but for hosts that are out', () => {
    const [a, b] = [well('a', 1), well('b', 2)];
    expect(turnOf([b, a, dead], [])).toBe('last');
    expect(turnOf([b, a, dead], ['c'])).toBeNull();
    const five = [b, a, well('d', 4), well('e', 5), dead];
    expect(turnOf(five, [])).toBeNull();
  });
});

describe('the cause of an error', async () => {
  const phases = await loadPhases();
  const named = (name: string) => phases.find((phase) => phase.name === name)!;
  const etcd = named('etcd');

  it('may be etcd for what is behind it, or goes through a control plane; not for what comes before', () => {
    for (const name of ['etcd', 'master', 'nodes', 'node-ready', 'dns', 'flannel', 'remove-node', 'verify']) {
      expect(dependsOn(named(name), etcd, phases), name).toBe(true);
    }
    for (const name of ['prepare', 'preflight', 'chrony', 'registry', 'runtime', 'teardown']) {
      expect(dependsOn(named(name), etcd, phases), name).toBe(false);
    }
  });

  const failed = new KubewrightError('APISERVER_NOT_READY', 'no control plane has an API server that is ready');
  const lost = {
    ...etcd,
    explains: {
      codes: ['APISERVER_NOT_READY'],
      cause: () => Promise.resolve(new KubewrightError('ETCD_QUORUM_LOST', 'lost', { evidence: 'a: answers' })),
    },
  } as const;
  const look = {} as CauseLook;

  it('takes the place of the error, which stays in the evidence', async () => {
    expect(await rootCause(failed, { phases: [lost], phase: named('dns'), look })).toMatchObject({
      code: 'ETCD_QUORUM_LOST',
      message: 'lost',
      evidence: `a: answers\ndns failed with APISERVER_NOT_READY: ${failed.message}`,
    });
  });

  it('leaves errors alone that it does not explain, and when it cannot be asked', async () => {
    const other = new KubewrightError('DISK_FULL', 'no space');
    expect(await rootCause(other, { phases: [lost], phase: named('dns'), look })).toBe(other);
    expect(await rootCause(failed, { phases: [lost], phase: named('prepare'), look })).toBe(failed);
    const mute = { ...etcd, explains: { ...lost.explains, cause: () => Promise.reject(new Error('no')) } };
    expect(await rootCause(failed, { phases: [mute], phase: named('dns'), look })).toBe(failed);
  });
});
