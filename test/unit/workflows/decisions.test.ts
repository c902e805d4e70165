import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { majority, type QuorumGroup, quorumProblem } from '../../../contracts/quorum.ts';
import { policyAnswer, skipProblem } from '../../../workflows/lib/failure-policy.ts';

const HOSTS = Array.from({ length: 9 }, (_, index) => `h${index}`);
const groups = fc
  .record({ members: fc.subarray(HOSTS, { minLength: 1, maxLength: 7 }), planes: fc.subarray(HOSTS, { minLength: 1 }) })
  .map(({ members, planes }): QuorumGroup[] => [
    { what: 'etcd members', hosts: members, least: majority(members.length) },
    { what: 'control planes', hosts: planes, least: 1 },
  ]);

describe('quorum', () => {
  it('is never lost by the policy, for any failures in any order, nor is its ceiling passed', () => {
    fc.assert(
      fc.property(
        groups,
        fc.array(fc.constantFrom(...HOSTS), { maxLength: 30 }),
        fc.nat({ max: 9 }),
        (quorum, failing, maxQuarantined) => {
          const out = new Set<string>();
          const plan = {
            mode: 'apply' as const,
            policy: { onHostFailure: 'quarantine' as const, maxQuarantined },
            quorum,
          };
          for (const host of failing) {
            const answer = policyAnswer(plan, host, out);
            if (answer.act === 'quarantine') out.add(host);
            else expect(answer).toMatchObject({ act: 'wait', why: expect.any(String) as string });
          }
          expect(out.size).toBeLessThanOrEqual(maxQuarantined);
          for (const { hosts, least } of quorum) {
            expect(hosts.filter((host) => !out.has(host)).length).toBeGreaterThanOrEqual(least);
          }
        },
      ),
    );
  });

  it('is refused exactly when too few would be left', () => {
    fc.assert(
      fc.property(groups, fc.subarray(HOSTS), fc.constantFrom(...HOSTS), (quorum, already, host) => {
        const out = new Set([...already, host]);
        const broken = quorum.some(
          ({ hosts, least }) =>
            hosts.some((each) => out.has(each)) && hosts.filter((each) => !out.has(each)).length < least,
        );
        expect(skipProblem({ quorum }, host, new Set(already)) !== null).toBe(broken);
      }),
    );
  });

  it('names the numbers', () => {
    const etcd = { what: 'etcd members', hosts: ['a', 'b', 'c'], least: 2 };
    expect(quorumProblem([etcd], new Set(['a']))).toBeNull();
    expect(quorumProblem([etcd], new Set(['a', 'c']))).toEqual({
      code: 'QUORUM_WOULD_BREAK',
      message: '1 of 3 etcd members would be left without a, c; at least 2 must be',
    });
  });

  it('a task of the worker process has no host to leave out', () => {
    expect(skipProblem({ quorum: [] }, 'cluster', new Set())).toMatchObject({ code: 'CONFLICT' });
  });
});
