import { expect, test } from 'vitest';
import { FakeHost } from '../../fakes/fake-host.ts';

test('gives the prepared answers, checks exit codes, and fails on any other command', async () => {
  const host = new FakeHost().on('hostname', 'cp-1\n').on(/^false/, { code: 1, stderr: 'no' });
  expect((await host.exec(['hostname'])).stdout).toBe('cp-1\n');
  await expect(host.exec(['false'])).rejects.toMatchObject({ code: 'COMMAND_FAILED', evidence: 'no' });
  expect((await host.exec(['false'], { okCodes: [0, 1] })).code).toBe(1);
  host.verify();
  await expect(host.exec(['reboot'])).rejects.toThrow(/no answer for exec: reboot/);
  await expect(host.upload('/etc/x', 'y')).rejects.toThrow(/no answer/);
  expect(() => host.verify()).toThrow('unexpected: exec: reboot');
});

test('single answers come in order, then the standing one; unused ones are missed', async () => {
  const host = new FakeHost().on('state', 'later').once('state', 'first').once('state', 'second').on('never');
  const seen = [];
  for (let n = 0; n < 4; n += 1) seen.push((await host.exec(['state'])).stdout);
  expect(seen).toEqual(['first', 'second', 'later', 'later']);
  expect(() => host.verify()).toThrow('never asked for: never');
});
