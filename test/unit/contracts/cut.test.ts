import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { keepEnd, keepEnds, linesKeepEnds } from '../../../contracts/cut.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { LIMITS } from '../../../contracts/limits.ts';

const EVENT = `2s Warning FailedCreatePodSandBox pod/coredns-7d Failed to create pod sandbox: ${'rpc error: '.repeat(60)}plugin type="calico" failed (add): stat /var/lib/calico/nodename: no such file`;

test('the end is kept, within the bound, and the cut is marked', () => {
  expect(keepEnd('short', 10)).toBe('short');
  expect(keepEnd('0123456789', 8)).toBe('...56789');
  expect(keepEnds('short', 10)).toBe('short');
  const cut = keepEnds(EVENT, 300);
  expect(cut).toHaveLength(300);
  expect(cut).toMatch(/^2s Warning FailedCreatePodSandBox .* \.\.\. .*nodename: no such file$/);
  for (const most of [0, 1, 3, 5, 8])
    expect(keepEnd('x'.repeat(50), most).length).toBeLessThanOrEqual(Math.max(most, 3));
});

test('so is it on a host, line by line', () => {
  const { stdout } = spawnSync('sh', ['-c', linesKeepEnds(300)], { input: `short\n${EVENT}\n`, encoding: 'utf8' });
  expect(stdout).toBe(`short\n${keepEnds(EVENT, 300)}\n`);
});

test('evidence of an error ends with the last lines of output', () => {
  const { evidence } = new KubewrightError('COMMAND_FAILED', 'x', { evidence: `${EVENT}\n`.repeat(9) });
  expect(evidence).toHaveLength(LIMITS.evidenceChars);
  expect(evidence).toMatch(/^\.\.\.[^]*no such file\n$/);
});
