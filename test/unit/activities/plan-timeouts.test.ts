import { expect, it } from 'vitest';
import { withTimeouts } from '../../../activities/operations/plan-timeouts.ts';
import { parseConfig } from '../../../api/config.ts';
import { DEFAULT_TIMEOUTS } from '../../../contracts/timeouts.ts';
import { workerConfig } from '../../../worker/config.ts';
import { planOf } from '../../support/temporal-plan.ts';

const plan = planOf('sample', [{ name: 'one', hosts: ['a'] }], { heartbeatTimeoutMs: 15_000 });

it('keeps the timeouts of the phases unless a ceiling is given', () => {
  expect(withTimeouts(plan, DEFAULT_TIMEOUTS)).toEqual(plan);
  const short = withTimeouts(plan, { heartbeatMs: 6_000, taskMs: 20_000, sshIdleMs: 1 });
  expect([short.heartbeatTimeoutMs, short.phases[0]?.startToCloseMs]).toEqual([6_000, 20_000]);
  expect(withTimeouts(plan, { ...DEFAULT_TIMEOUTS, taskMs: 90_000 }).phases[0]?.startToCloseMs).toBe(60_000);
});

it('comes from the environment, the same for both processes', () => {
  const env = {
    TEMPORAL_ADDRESS: '127.0.0.1:7233',
    KUBEWRIGHT_HEARTBEAT_TIMEOUT_MS: '6000',
    KUBEWRIGHT_TASK_TIMEOUT_MS: '',
    KUBEWRIGHT_SSH_IDLE_MS: '500',
  };
  for (const parse of [parseConfig, workerConfig]) {
    expect(parse({ TEMPORAL_ADDRESS: env.TEMPORAL_ADDRESS }).timeouts).toEqual(DEFAULT_TIMEOUTS);
    expect(parse(env).timeouts).toEqual({ heartbeatMs: 6_000, taskMs: null, sshIdleMs: 500 });
    expect(() => parse({ ...env, KUBEWRIGHT_HEARTBEAT_TIMEOUT_MS: '100' })).toThrow(/HEARTBEAT/);
    expect(() => parse({ ...env, KUBEWRIGHT_SSH_IDLE_MS: 'soon' })).toThrow(/SSH_IDLE/);
  }
});
