/**
 * Which versions of Kubernetes may work together: the version skew policy of the Kubernetes project. Minor versions that a
 * component may be older or newer than the API servers; every pair of API servers may be one minor apart.
 */
const SKEW = {
  'kube-apiserver': { older: 1, newer: 1 },
  'kube-controller-manager': { older: 1, newer: 0 },
  'kube-scheduler': { older: 1, newer: 0 },
  kubelet: { older: 3, newer: 0 },
  'kube-proxy': { older: 3, newer: 0 },
  kubectl: { older: 1, newer: 1 },
} as const satisfies Record<string, { older: number; newer: number }>;

export type SkewedComponent = keyof typeof SKEW;
export const SKEWED_COMPONENTS = Object.keys(SKEW) as SkewedComponent[];

/** Negative, zero or positive, as `Array.sort` wants it. Versions are exact: `1.36.3`. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [numbers(one), numbers(other)];
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** Minor versions from one to another; Infinity between major versions. */
export function minorSteps(from: string, to: string): number {
  const [a, b] = [numbers(from), numbers(to)];
  return a[0] === b[0] ? b[1] - a[1] : Number.POSITIVE_INFINITY * Math.sign(b[0] - a[0]);
}

/** What is wrong with a component of this version beside these API servers; null: the policy allows it. */
export function skewProblem(component: SkewedComponent, version: string, apiServers: readonly string[]): string | null {
  const { older, newer } = SKEW[component];
  for (const server of apiServers) {
    const ahead = minorSteps(server, version);
    if (ahead > newer) {
      const most = newer === 0 ? 'not be newer' : `be at most ${newer} minor version newer`;
      return `${component} ${version} may ${most} than the API server ${server}`;
    }
    if (-ahead > older)
      return `${component} ${version} may be at most ${older} minor version${older === 1 ? '' : 's'} older than the API server ${server}`;
  }
  return null;
}

function numbers(version: string): [number, number, number] {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  return [major, minor, patch];
}
