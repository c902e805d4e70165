import { describe, expect, it } from 'vitest';
import {
  compareVersions,
  minorSteps,
  SKEWED_COMPONENTS,
  type SkewedComponent,
  skewProblem,
} from '../../../activities/operations/skew.ts';

/** Minor versions behind (negative) or ahead of the API server that the policy allows, as its page lists them. */
const ALLOWED: Record<SkewedComponent, number[]> = {
  'kube-apiserver': [-1, 0, 1],
  'kube-controller-manager': [-1, 0],
  'kube-scheduler': [-1, 0],
  kubelet: [-3, -2, -1, 0],
  'kube-proxy': [-3, -2, -1, 0],
  kubectl: [-1, 0, 1],
};
const MINORS = [30, 31, 32, 33, 34, 35, 36, 37];

describe('every pair of versions of API server and component', () => {
  it.each(SKEWED_COMPONENTS)('%s', (component) => {
    for (const server of MINORS) {
      for (const own of MINORS) {
        const problem = skewProblem(component, `1.${own}.2`, [`1.${server}.3`]);
        expect(problem === null, `${component} 1.${own} at 1.${server}: ${problem}`).toBe(
          ALLOWED[component].includes(own - server),
        );
        if (problem) expect(problem).toMatch(`${component} 1.${own}.2 may `);
      }
    }
  });

  it('API servers of a cluster that is being upgraded narrow what is allowed', () => {
    for (const older of MINORS.slice(0, -1)) {
      const servers = [`1.${older}.0`, `1.${older + 1}.0`];
      const fits = MINORS.filter((minor) => skewProblem('kubelet', `1.${minor}.0`, servers) === null);
      expect(fits).toEqual(MINORS.filter((minor) => minor <= older && minor >= older - 2));
    }
  });

  it('another major version never fits', () => {
    for (const component of SKEWED_COMPONENTS) {
      expect(skewProblem(component, '2.36.0', ['1.36.0'])).not.toBeNull();
      expect(skewProblem(component, '1.36.0', ['2.36.0'])).not.toBeNull();
    }
  });
});

it('versions compare by number, not by letter', () => {
  expect(compareVersions('1.36.10', '1.36.9')).toBeGreaterThan(0);
  expect(compareVersions('1.9.0', '1.36.0')).toBeLessThan(0);
  expect(compareVersions('1.36.3', '1.36.3')).toBe(0);
  expect([minorSteps('1.35.4', '1.36.3'), minorSteps('1.36.0', '1.35.9'), minorSteps('1.36.0', '2.0.0')]).toEqual([
    1,
    -1,
    Number.POSITIVE_INFINITY,
  ]);
});
