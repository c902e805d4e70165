import { defineBadOptions } from '../bad-options.ts';

type Draft = Parameters<Parameters<typeof defineBadOptions>[0][number]['spec']>[0];

/** Options of phase master, and where the error is below `spec.phases.master.`. */
const master = (title: string, options: Record<string, unknown>, place: string, message: RegExp) => ({
  title: `master: ${title}`,
  spec: (draft: Draft) => {
    draft.phases['master'] = options;
  },
  code: 'SPEC_INVALID' as const,
  path: `spec.phases.master.${place}`,
  message,
});
const apiServer = (title: string, options: Record<string, unknown>, place: string, message: RegExp) =>
  master(title, { apiServer: options }, `apiServer.${place}`, message);
const rule = (title: string, own: Record<string, unknown>, place: string, message: RegExp) =>
  master(
    title,
    { audit: { policy: { rules: [{ level: 'None', ...own }] } } },
    `audit.policy.rules[0].${place}`,
    message,
  );
const flags = (extraArgs: Record<string, string>, typed: Record<string, unknown>, flag: string, option: string) =>
  apiServer(
    `${flag} beside ${option}`,
    { extraArgs, ...typed },
    `extraArgs.${flag}`,
    new RegExp(`^spec\\.phases\\.master\\.apiServer\\.${option} sets the same: remove one of the two$`),
  );
const network = (title: string, fields: Record<string, unknown>, place: string, message: RegExp) => ({
  title: `network: ${title}`,
  spec: (draft: Draft) => {
    draft.network = { ...draft.network, ...fields };
  },
  code: 'SPEC_INVALID' as const,
  path: `spec.network.${place}`,
  message,
});

export default defineBadOptions([
  apiServer(
    'a misspelt admission plugin',
    { admissionPlugins: { enable: ['AlwaysPullImages', 'PodNodeSelecter'] } },
    'admissionPlugins.enable[1]',
    /^unknown admission plugin `PodNodeSelecter`; did you mean `PodNodeSelector`\? \(Kubernetes 1\.36\)$/,
  ),
  apiServer(
    'a plugin that this version no longer has',
    { admissionPlugins: { disable: ['PodSecurityPolicy'] } },
    'admissionPlugins.disable[0]',
    /unknown admission plugin `PodSecurityPolicy`; did you mean `PodSecurity`/,
  ),
  apiServer(
    'a plugin that refuses everything',
    { admissionPlugins: { enable: ['AlwaysDeny'] } },
    'admissionPlugins.enable[0]',
    /AlwaysDeny cannot be on: it refuses every request/,
  ),
  apiServer(
    'a plugin that needs a webhook',
    { admissionPlugins: { enable: ['ImagePolicyWebhook'] } },
    'admissionPlugins.enable[0]',
    /ImagePolicyWebhook cannot be on/,
  ),
  apiServer(
    'a plugin in both lists',
    { admissionPlugins: { enable: ['AlwaysPullImages'], disable: ['AlwaysPullImages'] } },
    'admissionPlugins.disable[0]',
    /AlwaysPullImages is in `enable` as well/,
  ),
  flags(
    { 'enable-admission-plugins': 'NodeRestriction' },
    { admissionPlugins: { enable: ['AlwaysPullImages'] } },
    'enable-admission-plugins',
    'admissionPlugins',
  ),
  flags({ 'allow-privileged': 'true' }, { allowPrivileged: false }, 'allow-privileged', 'allowPrivileged'),
  flags(
    { 'service-node-port-range': '1-2' },
    { nodePortRange: '31000-31999' },
    'service-node-port-range',
    'nodePortRange',
  ),
  flags({ v: '3' }, { logLevel: 2 }, 'v', 'logLevel'),
  flags({ 'bind-address': '0.0.0.0' }, { bindAddress: 'internal' }, 'bind-address', 'bindAddress'),
  flags({ 'feature-gates': 'AllAlpha=true' }, { featureGates: { AllBeta: true } }, 'feature-gates', 'featureGates'),
  master(
    'a flag of the audit policy beside own rules',
    {
      apiServer: { extraArgs: { 'audit-policy-file': '/etc/kubernetes/mine.yaml' } },
      audit: { policy: { rules: [{ level: 'Metadata' }] } },
    },
    'apiServer.extraArgs.audit-policy-file',
    /^spec\.phases\.master\.audit\.policy sets the same/,
  ),
  apiServer(
    'a misspelt feature gate',
    { featureGates: { APIServerIdentty: true } },
    'featureGates.APIServerIdentty',
    /^unknown feature gate `APIServerIdentty`; did you mean `APIServerIdentity`\? \(Kubernetes 1\.36\)$/,
  ),
  apiServer(
    'a feature gate of a later version',
    { featureGates: { APIServerWebhookAuthenticationToken: true } },
    'featureGates.APIServerWebhookAuthenticationToken',
    /^Kubernetes 1\.36 has no feature gate APIServerWebhookAuthenticationToken: it comes with 1\.37$/,
  ),
  apiServer(
    'a feature gate of an earlier version',
    { featureGates: { ComponentSLIs: true } },
    'featureGates.ComponentSLIs',
    /^Kubernetes 1\.36 has no feature gate ComponentSLIs: 1\.34 was the last version with it$/,
  ),
  apiServer(
    'a locked feature gate',
    { featureGates: { APIServerTracing: false } },
    'featureGates.APIServerTracing',
    /^Kubernetes 1\.36 accepts only `true` for APIServerTracing: the feature is GA and locked$/,
  ),
  apiServer(
    'a feature gate that is no boolean',
    { featureGates: { AllAlpha: 'yes' } },
    'featureGates.AllAlpha',
    /true or false/,
  ),
  master(
    'a gate that the scheduler does not have',
    { scheduler: { featureGates: { ControllerManagerReleaseLeaderElectionLockOnExit: true } } },
    'scheduler.featureGates.ControllerManagerReleaseLeaderElectionLockOnExit',
    /^kube-scheduler has no feature gate/,
  ),
  apiServer('a range of ports that falls', { nodePortRange: '32000-31000' }, 'nodePortRange', /must rise/),
  apiServer('a range of ports beyond the last', { nodePortRange: '32000-70000' }, 'nodePortRange', /up to 65535/),
  apiServer('a range that is none', { nodePortRange: '30000' }, 'nodePortRange', /range of ports such as/),
  {
    title: 'a range of node ports with the port of the API server in it',
    spec: (draft) => {
      draft.phases['master'] = { apiServer: { nodePortRange: '6000-7000' } };
    },
    code: 'SPEC_INVALID',
    path: 'spec.hosts[0]',
    message: /the port 6443 of kube-apiserver \(phase master\) is one of the node ports of services, 6000-7000/,
  },
  {
    title: 'a node port of the dashboard outside of the range',
    spec: (draft) => {
      draft.phases['master'] = { apiServer: { nodePortRange: '31000-31999' } };
      draft.phases['dashboard'] = { service: { type: 'NodePort', nodePort: 30_080 } };
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.dashboard.service.nodePort',
    message: /must be in the range of node ports, 31000-31999/,
  },
  apiServer(
    'an address that is another host',
    { bindAddress: '192.0.2.7' },
    'bindAddress',
    /`internal`, [0-9.]+ or 0\.0\.0\.0/,
  ),
  apiServer(
    'an address of loopback',
    { bindAddress: '127.0.0.1' },
    'bindAddress',
    /the other hosts reach the API server/,
  ),
  master(
    'another address of the controller manager',
    { controllerManager: { bindAddress: '192.0.2.7' } },
    'controllerManager.bindAddress',
    /unknown value `192\.0\.2\.7`/,
  ),
  apiServer('a log level beyond the last', { logLevel: 11 }, 'logLevel', /at most 10/),
  rule('a level that is none', { level: 'Everything' }, 'level', /known: None, Metadata, Request, RequestResponse/),
  rule(
    'resources and URLs',
    { resources: [{ resources: ['pods'] }], nonResourceURLs: ['/x'] },
    'nonResourceURLs',
    /make two rules/,
  ),
  rule('a URL without a slash', { nonResourceURLs: ['healthz'] }, 'nonResourceURLs[0]', /path such as \/metrics/),
  rule(
    'names without resources',
    { resources: [{ resourceNames: ['x'] }] },
    'resources[0].resourceNames',
    /need `resources`/,
  ),
  rule('no verbs', { verbs: [] }, 'verbs', /at least 1/),
  master('no rules', { audit: { policy: { rules: [] } } }, 'audit.policy.rules', /at least 1/),
  network('a pod range larger than /8', { podCidr: '8.0.0.0/7' }, 'podCidr', /must be \/8 or smaller/),
  network(
    'parts that are too small',
    { podCidr: '10.0.0.0/10', nodeCidrMaskSize: 27 },
    'nodeCidrMaskSize',
    /must be at most 26/,
  ),
  network(
    'parts that are too large',
    { podCidr: '10.244.0.0/16', nodeCidrMaskSize: 16 },
    'podCidr',
    /\/14 or larger: every node takes a \/16/,
  ),
  network('a service range larger than /12', { serviceCidr: '172.0.0.0/11' }, 'serviceCidr', /between \/12 and \/24/),
  {
    title: 'the size of parts, as a flag as well',
    spec: (draft) => {
      draft.network = { ...draft.network, nodeCidrMaskSize: 25 };
      draft.phases['master'] = { controllerManager: { extraArgs: { 'node-cidr-mask-size': '25' } } };
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.master.controllerManager.extraArgs.node-cidr-mask-size',
    message: /spec\.network\.nodeCidrMaskSize sets the same/,
  },
]);
