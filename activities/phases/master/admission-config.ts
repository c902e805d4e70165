import { stringify } from 'yaml';

/** Levels of the Pod Security Standards, the most permissive first. */
export const POD_SECURITY_LEVELS = ['privileged', 'baseline', 'restricted'] as const;
export type PodSecurityLevel = (typeof POD_SECURITY_LEVELS)[number];

/**
 * AdmissionConfiguration of kube-apiserver. PodSecurity: what namespaces without labels of their own are held to; the
 * cluster's own is exempt. EventRateLimit: a component gone wild cannot fill etcd with events; the ceiling is far above
 * what a busy cluster writes.
 */
export function admissionConfig(config: { enforce: PodSecurityLevel; exemptNamespaces: readonly string[] }): string {
  return stringify(
    {
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'AdmissionConfiguration',
      plugins: [
        {
          name: 'PodSecurity',
          configuration: {
            apiVersion: 'pod-security.admission.config.k8s.io/v1',
            kind: 'PodSecurityConfiguration',
            defaults: {
              enforce: config.enforce,
              'enforce-version': 'latest',
              audit: 'restricted',
              'audit-version': 'latest',
              warn: config.enforce,
              'warn-version': 'latest',
            },
            exemptions: { usernames: [], runtimeClasses: [], namespaces: [...config.exemptNamespaces] },
          },
        },
        {
          name: 'EventRateLimit',
          configuration: {
            apiVersion: 'eventratelimit.admission.k8s.io/v1alpha1',
            kind: 'Configuration',
            limits: [
              { type: 'Server', qps: 1000, burst: 10_000 },
              { type: 'SourceAndObject', qps: 10, burst: 100, cacheSize: 10_000 },
            ],
          },
        },
      ],
    },
    { lineWidth: 0 },
  );
}
