import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../contracts/limits.ts';
import { requestDigest, submitUpdateId } from '../../../contracts/messages.ts';
import type { TaskStatus } from '../../../contracts/operation.ts';
import { blockedHosts, decidedTasks } from '../../../workflows/lib/decisions.ts';
import { PauseGate } from '../../../workflows/lib/pause-gate.ts';
import { operationState, type StateInputs } from '../../../workflows/lib/progress.ts';
import { RequestMemory } from '../../../workflows/lib/requests.ts';

const task = (phase: string, host: string, state: TaskStatus['state']): TaskStatus => ({
  phase,
  host,
  state,
  attempt: 1,
  decision: 0,
});

describe('the state of an operation', () => {
  const base: StateInputs = { planned: true, paused: false, running: 0, blocked: 0, ending: false };
  it.each([
    [{ planned: false }, 'planning'],
    [{ running: 2, blocked: 1 }, 'running'],
    [{ blocked: 1 }, 'blocked'],
    [{ paused: true, running: 1 }, 'pausing'],
    [{ paused: true, blocked: 1 }, 'paused'],
    [{ paused: true, planned: false }, 'pausing'],
    [{ ending: true, blocked: 1, running: 1 }, 'running'],
    [{ ended: 'failed', paused: true }, 'failed'],
  ] as const)('%o is %s', (inputs, state) => {
    expect(operationState({ ...base, ...inputs })).toBe(state);
  });
});

it('a decision means every blocked task of the host, or one phase of it', () => {
  const tasks = [
    task('a', 'h1', 'blocked'),
    task('b', 'h1', 'blocked'),
    task('c', 'h1', 'running'),
    task('a', 'h2', 'blocked'),
  ];
  expect(decidedTasks({ host: 'h1' }, tasks).map(({ phase }) => phase)).toEqual(['a', 'b']);
  expect(decidedTasks({ host: 'h1', phase: 'b' }, tasks).map(({ phase }) => phase)).toEqual(['b']);
  expect(blockedHosts(tasks)).toEqual(['h1', 'h2']);
});

it('an interrupting pause sharpens a draining one, and the first name stays', () => {
  const gate = new PauseGate();
  gate.close({ actor: { name: 'ann', role: 'operator' }, mode: 'drain' }, 't1');
  gate.close({ actor: { name: 'bob', role: 'operator' }, mode: 'interrupt' }, 't2');
  gate.close({ actor: { name: 'cid', role: 'operator' }, mode: 'drain' }, 't3');
  expect(gate.pause).toEqual({ by: 'ann', at: 't1', mode: 'interrupt' });
  gate.reopen();
  expect(gate.open).toBe(true);
});

it('remembers the last request ids only', () => {
  const memory = new RequestMemory();
  for (let index = 0; index <= LIMITS.requestIds; index++) {
    memory.remember({ requestId: `r${index}`, digest: '', operationId: '' });
  }
  expect(memory.find('r0')).toBeUndefined();
  expect(memory.find('r1')).toBeDefined();
  expect(memory.all).toHaveLength(LIMITS.requestIds);
});

it('requests are compared by their content, not by their actor', () => {
  const request = { kind: 'build', specRef: 'a', mode: 'apply' };
  expect(requestDigest(request)).toBe(requestDigest({ ...request, phases: undefined }));
  expect(requestDigest(request)).not.toBe(requestDigest({ ...request, phases: [] }));
  expect(submitUpdateId('k', request)).not.toBe(submitUpdateId('k', { ...request, specRef: 'b' }));
});
