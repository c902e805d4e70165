import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { scriptInput } from '../../../activities/host/ssh-host.ts';
import { apt as aptScripts } from '../../../activities/resources/apt.ts';
import type { Row } from '../../e2e/chaos/journal.ts';
import { changesOf, missingNumbers, repeatedAfterSuccess, unexplainedGaps } from '../../e2e/chaos/judge.ts';
import { unreported } from '../../e2e/chaos/sessions.ts';

const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
const row = (more: Partial<Row> = {}): Row => ({
  id: '1',
  activityId: 'etcd:cp-1:0',
  attempt: 1,
  phase: 'etcd',
  host: 'cp-1',
  seq: 1,
  kind: 'exec',
  argv: ['true'],
  stdinSha256: null,
  startedAt: at(10),
  endedAt: at(11),
  exitCode: 0,
  error: null,
  ...more,
});
const batch = (...steps: string[]): string[] => [
  'sh',
  '-c',
  `set -eu\n${steps.map((step) => `kw_step ${step}\ndo it`).join('\n')}\n`,
  'kubewright',
];
const done = [{ operation: 'one', activityId: 'etcd:cp-1:0', completedAt: 20_000, attempt: 2 }];

describe('the judge of chaos builds', () => {
  it('finds a command after the completion of its task, and a later attempt', () => {
    expect(repeatedAfterSuccess([row(), row({ attempt: 2, startedAt: at(15) })], done)).toEqual([]);
    expect(repeatedAfterSuccess([row({ startedAt: at(21) })], done)).toHaveLength(1);
    expect(repeatedAfterSuccess([row({ attempt: 3 })], done)).toHaveLength(1);
    // The same task under another activity id: a decision for something that was done.
    expect(repeatedAfterSuccess([row(), row({ activityId: 'etcd:cp-1:1', startedAt: at(21) })], done)).toHaveLength(1);
  });

  it('finds a change that is made again by the next attempt, unless the first one failed or has no end', () => {
    const second = row({ attempt: 2, argv: batch('stamps', "'file:/etc/b'", 'file:/etc/a') });
    const first = row({ argv: batch('stamps', 'file:/etc/a') });
    expect(repeatedAfterSuccess([first, second], [])).toHaveLength(1);
    expect(repeatedAfterSuccess([{ ...first, exitCode: 1 }, second], [])).toEqual([]);
    expect(repeatedAfterSuccess([{ ...first, exitCode: null, endedAt: null }, second], [])).toEqual([]);
    expect(repeatedAfterSuccess([{ ...first, host: 'cp-2' }, second], [])).toEqual([]);
  });

  it('lets probes be asked again', () => {
    const probe = row({ kind: 'script', argv: ['sh', '-eu', '-s', '--'] });
    expect(repeatedAfterSuccess([probe, { ...probe, attempt: 2 }], [])).toEqual([]);
  });

  it('recognizes commands that change a host', () => {
    const apt = createHash('sha256').update(scriptInput(aptScripts.install)).digest('hex');
    expect(changesOf(row({ kind: 'script', stdinSha256: apt, argv: ['sh', '-eu', '-s', '--', 'chrony'] }))).toEqual([
      'packages chrony',
    ]);
    expect(changesOf(row({ kind: 'upload', argv: ['upload', '/etc/x', '0644', 'root:'] }))).toEqual(['upload /etc/x']);
    expect(changesOf(row({ argv: ['env', 'A=b', '/usr/local/bin/kubectl', 'patch', 'node'] }))).toEqual(['patch node']);
    expect(changesOf(row({ argv: ['env', 'A=b', '/usr/local/bin/kubectl', 'get', 'node'] }))).toEqual([]);
  });

  it('finds gaps in the numbers of an attempt, and commands without an end that no kill explains', () => {
    expect(missingNumbers([row(), row({ seq: 2 }), row({ attempt: 2 })])).toEqual([]);
    expect(missingNumbers([row(), row({ seq: 3 })])).toHaveLength(1);
    // The look at the cluster's health is one activity on all hosts.
    const health = (host: string, seq: number) => row({ phase: 'health', activityId: 'health:2', host, seq });
    expect(missingNumbers([health('cp-1', 1), health('w-1', 3), health('w-2', 2)])).toEqual([]);
    expect(missingNumbers([health('cp-1', 1), health('w-1', 3)])).toHaveLength(1);
    const open = row({ endedAt: null, exitCode: null });
    expect(unexplainedGaps([open], [12_000])).toEqual([]);
    expect(unexplainedGaps([open], [9_000])).toHaveLength(1);
  });
});

it('finds commands that only sshd logged', () => {
  const sessions = new Map([['cp-1', 3]]);
  expect(unreported(sessions, new Map(), [row(), row({ seq: 2 }), row({ seq: 3 })])).toEqual([]);
  expect(unreported(sessions, new Map(), [row(), row({ seq: 2 })])).toHaveLength(1);
  expect(unreported(sessions, new Map(), [row(), row({ seq: 2, error: 'SSH_CONNECTION_LOST' })])).toEqual([]);
  // Those of before a saved state was taken back are none of this build.
  expect(unreported(sessions, new Map([...sessions].map(([host]) => [host, 1])), [row(), row({ seq: 2 })])).toEqual([]);
});
