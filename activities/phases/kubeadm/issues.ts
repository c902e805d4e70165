import type { ClusterSpec } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { optionViews } from '../twice-set.ts';

/** The first minor version of Kubernetes 1 whose kubeadm has the API v1beta4. */
const FIRST_MINOR = 31;
const MANIFESTS = '/etc/kubernetes/manifests';

/** What of a spec does not fit kubeadm's static pods. Pure. */
export function kubeadmIssues(cluster: ClusterSpec): FieldIssue[] {
  const { version } = cluster.spec.kubernetes;
  const old: FieldIssue[] =
    Number(version.split('.')[1]) >= FIRST_MINOR
      ? []
      : [
          {
            path: 'spec.kubernetes.version',
            message: `must be 1.${FIRST_MINOR}.0 or newer with engine kubeadm, which is configured by its API v1beta4`,
          },
        ];
  return [...old, ...healthIssues(cluster), ...manifestIssues(cluster)];
}

/** The probes of static pods have no certificate. */
const healthIssues = (cluster: ClusterSpec): FieldIssue[] =>
  optionViews(cluster, 'master').flatMap(({ options, place }) => {
    const { extraArgs = {} } = (options['apiServer'] ?? {}) as { extraArgs?: Record<string, unknown> };
    return extraArgs['anonymous-auth'] === 'false'
      ? [
          {
            path: place('apiServer.extraArgs.anonymous-auth'),
            message:
              "remove it: kubeadm's static pods are probed without a certificate. Health and cluster-info are all that is answered to such clients",
          },
        ]
      : [];
  });

/** The kubelet has one folder of static pods, and kubeadm writes into its own. */
const manifestIssues = (cluster: ClusterSpec): FieldIssue[] =>
  optionViews(cluster, 'nodes').flatMap(({ options, place }) => {
    const { staticPodPath, config = {}, extraArgs = {} } = (options['kubelet'] ?? {}) as Kubelet;
    const given: [string, unknown][] = [
      ['kubelet.staticPodPath', staticPodPath],
      ['kubelet.config.staticPodPath', config['staticPodPath']],
      ['kubelet.extraArgs.pod-manifest-path', extraArgs['pod-manifest-path']],
    ];
    return given.flatMap(([option, value]) =>
      value === undefined || value === MANIFESTS
        ? []
        : [
            {
              path: place(option),
              message: `must be ${MANIFESTS}, where kubeadm writes the control plane, or be left out`,
            },
          ],
    );
  });

interface Kubelet {
  staticPodPath?: string;
  config?: Record<string, unknown>;
  extraArgs?: Record<string, unknown>;
}
