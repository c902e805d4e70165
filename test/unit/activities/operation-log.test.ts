import { expect, it, vi } from 'vitest';
import { recordOpened } from '../../../activities/operations/operation-log.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { OperationInput } from '../../../contracts/operation.ts';

const input = {
  ...{ cluster: 'demo', operationId: 'op-1', kind: 'build', mode: 'apply', specRef: 'aa', requestId: 'r-1' },
  actor: { name: 'alice', role: 'operator' },
} as OperationInput;
const run = { workflowId: 'w', runId: 'r' };
const refused = new KubewrightError('SPEC_INVALID', 'no control plane', { evidence: 'spec.hosts' });

it('an operation that cannot be planned is in the journal with its error', async () => {
  const record = vi.fn().mockResolvedValue({ n: 1, hash: 'x' });
  await expect(recordOpened({ record }, input, run, () => Promise.reject(refused))).rejects.toBe(refused);
  expect(record.mock.calls).toMatchObject([
    [{ actor: 'alice', argv: ['open', 'build', 'apply', 'aa'] }, { error: 'SPEC_INVALID' }],
  ]);
});

it('why it cannot be planned is not lost when the journal cannot be written either', async () => {
  const record = vi.fn().mockRejectedValue(new KubewrightError('STORE_FAILED', 'the database is away'));
  const failed = recordOpened({ record }, input, run, () => Promise.reject(refused));
  await expect(failed).rejects.toMatchObject({
    code: 'SPEC_INVALID',
    message: 'no control plane',
    evidence: 'spec.hosts\nits end is not in the journal: the database is away (STORE_FAILED)',
  });
  await expect(recordOpened({ record }, input, run, () => Promise.resolve('plan'))).rejects.toMatchObject({
    code: 'STORE_FAILED',
  });
});
