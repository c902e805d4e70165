import { describe, expect, it } from 'vitest';
import { scanPhases } from '../../../activities/phases/phase-loader.ts';
import { requireGuarded } from '../../../api/require-guarded.ts';
import type { KubewrightError } from '../../../contracts/errors.ts';
import { sampleCluster } from '../../golden/golden.ts';

const phases = await scanPhases();
const caller = (role: 'operator' | 'admin') =>
  ({ actor: { kind: 'token', name: 'test', role }, clusters: null }) as unknown as Parameters<typeof requireGuarded>[1];
const proxied = (http: string) => sampleCluster({ proxy: { http } });
const asked = (role: 'operator' | 'admin', to: ReturnType<typeof sampleCluster>, from: typeof to | null): string[] => {
  try {
    requireGuarded(phases, caller(role), to, from);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'FORBIDDEN' });
    return (error as KubewrightError).errors!.map(({ path }) => path);
  }
};

describe('spec.proxy', () => {
  const one = proxied('http://one.example:3128');
  const none = sampleCluster();

  it('is set, changed and taken out by admins, also in a new cluster', () => {
    for (const [to, from] of [
      [one, null],
      [one, none],
      [none, one],
      [proxied('http://two.example:3128'), one],
    ] as const) {
      expect(asked('operator', to, from)).toEqual(['spec.proxy']);
      expect(asked('admin', to, from)).toEqual([]);
    }
  });

  it('is left as it is by operators', () => {
    expect(asked('operator', one, one)).toEqual([]);
    expect(asked('operator', none, null)).toEqual([]);
  });
});
