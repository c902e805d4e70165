import { z } from 'zod';
import { unknownWord } from '../../../contracts/nearest.ts';
import { minorOf } from './feature-gates.ts';

/**
 * Admission plugins of kube-apiserver by the minor versions that have them: pkg/kubeapiserver/options/plugins.go of
 * k8s.io/kubernetes 1.34.4, 1.35.4, 1.36.3 and 1.37.2; 1.36.3 compared with `kube-apiserver --help`.
 */
const ALWAYS = [
  ...['AlwaysAdmit', 'AlwaysDeny', 'AlwaysPullImages', 'CertificateApproval', 'CertificateSigning'],
  ...['CertificateSubjectRestriction', 'ClusterTrustBundleAttest', 'DefaultIngressClass', 'DefaultStorageClass'],
  ...['DefaultTolerationSeconds', 'DenyServiceExternalIPs', 'EventRateLimit', 'ExtendedResourceToleration'],
  ...['ImagePolicyWebhook', 'LimitPodHardAntiAffinityTopology', 'LimitRanger', 'MutatingAdmissionPolicy'],
  ...['MutatingAdmissionWebhook', 'NamespaceAutoProvision', 'NamespaceExists', 'NamespaceLifecycle'],
  ...['NodeRestriction', 'OwnerReferencesPermissionEnforcement', 'PersistentVolumeClaimResize', 'PodNodeSelector'],
  ...['PodSecurity', 'PodTolerationRestriction', 'PodTopologyLabels', 'Priority', 'ResourceQuota', 'RuntimeClass'],
  ...['ServiceAccount', 'StorageObjectInUseProtection', 'TaintNodesByCondition'],
  ...['ValidatingAdmissionPolicy', 'ValidatingAdmissionWebhook'],
];
const BY_MINOR: Readonly<Record<string, readonly string[]>> = {
  '1.34': [],
  '1.35': ['NodeDeclaredFeatureValidator'],
  '1.36': [
    ...['JobValidation', 'NodeDeclaredFeatureValidator', 'PodGroupProtection'],
    ...['PodGroupWorkloadExists', 'PodResizeValidator'],
  ],
  '1.37': ['NodeDeclaredFeatureValidator', 'PodGroupProtection', 'PodResizeValidator'],
};

/** What Kubewright adds to the plugins that Kubernetes has on by default, in the order of its flag. */
export const OUR_PLUGINS: readonly string[] = ['NodeRestriction', 'DenyServiceExternalIPs', 'EventRateLimit'];

/** Plugins that cannot be switched on, with the reason. */
const UNUSABLE: Readonly<Record<string, string>> = {
  AlwaysDeny: 'it refuses every request, also those of the parts of the cluster',
  ImagePolicyWebhook: 'it does not start without the address of a webhook, for which there is no option',
};

const names = z
  .array(z.string().regex(/^[A-Z][A-Za-z]{1,63}$/, 'must be the name of an admission plugin'))
  .max(64)
  .optional();

export const admissionPlugins = z
  .strictObject({
    enable: names.describe(
      'Plugins beside those that are on by default and those of Kubewright; their order has no effect',
    ),
    disable: names.describe('Plugins that are not to run, of the default ones and those of Kubewright'),
  })
  .optional()
  .describe('Admission plugins of the API server');
type AdmissionPlugins = z.output<typeof admissionPlugins>;

/** A problem of one list, with its place below the option. */
interface PluginIssue {
  path: readonly (string | number)[];
  message: string;
}

/** Names that this version does not know (nothing is known of some versions), that cannot be on, and those of both lists. Pure. */
export function admissionPluginIssues(plugins: AdmissionPlugins, version: string): PluginIssue[] {
  const minor = minorOf(version);
  const more = BY_MINOR[minor];
  const known = more && [...ALWAYS, ...more].sort();
  const issues: PluginIssue[] = [];
  for (const list of ['enable', 'disable'] as const) {
    (plugins?.[list] ?? []).forEach((name, index) => {
      const issue = (message: string) => issues.push({ path: [list, index], message });
      if (known && !known.includes(name))
        issue(`${unknownWord('admission plugin', name, known)} (Kubernetes ${minor})`);
      else if (list === 'enable' && UNUSABLE[name] !== undefined) issue(`${name} cannot be on: ${UNUSABLE[name]}`);
      else if (list === 'disable' && plugins?.enable?.includes(name)) {
        issue(`${name} is in \`enable\` as well: remove it from one of the two lists`);
      }
    });
  }
  return issues;
}

/** The two flags. The same for every order of the lists. Pure. */
export function admissionPluginFlags(
  plugins: AdmissionPlugins,
  ours: readonly string[] = OUR_PLUGINS,
): { 'enable-admission-plugins': string | undefined; 'disable-admission-plugins': string | undefined } {
  const off = new Set(plugins?.disable ?? []);
  const added = [...new Set(plugins?.enable ?? [])].filter((name) => !ours.includes(name)).sort();
  const on = [...ours.filter((name) => !off.has(name)), ...added];
  // The API server refuses a name in both flags; ours are off when they are not in the first one.
  const disabled = [...off].filter((name) => !ours.includes(name)).sort();
  const flag = (list: readonly string[]) => (list.length > 0 ? list.join(',') : undefined);
  return { 'enable-admission-plugins': flag(on), 'disable-admission-plugins': flag(disabled) };
}
