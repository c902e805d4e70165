import { malformed } from '../../../contracts/document-bounds.ts';
import type { Role } from '../../../contracts/host.ts';
import { keyFileRule } from '../ansible/convert.ts';
import type { Draft, DraftHost, DraftSsh } from '../draft.ts';
import { defineImportFormat } from '../format.ts';
import type { Json, Pasted } from '../pasted.ts';
import { isSecretName, isSecretText, SECRET_REASON } from '../secrets.ts';
import {
  asBool,
  asInt,
  asText,
  asTexts,
  choice,
  hostLabel,
  ifPhase,
  int,
  labels,
  no,
  only,
  podNetwork,
  REASONS,
  type Rule,
  type Rules,
  taints,
  text,
  texts,
  versionAt,
} from '../values.ts';

/** k0sctl.k0sproject.io/v1beta1 and v1beta2. */
const K0SCTL = /^k0sctl\.k0sproject\.io\//;
const K0S = /^k0s\.k0sproject\.io\//;

const ROLES: Readonly<Record<string, readonly Role[]>> = {
  controller: ['control-plane', 'etcd'],
  'controller+worker': ['control-plane', 'etcd', 'worker'],
  single: ['control-plane', 'etcd', 'worker'],
  worker: ['worker'],
};

const address =
  (field: 'address' | 'internalAddress'): Rule<DraftHost> =>
  (value, host) => {
    const found = asText(value);
    if (found === undefined) return REASONS.unreadable;
    host[field] = found;
    return undefined;
  };

/** Fields of `ssh` and of `openSSH`. */
const sshRules = (at: string): Rules<DraftHost> => ({
  [`${at}.address`]: address('address'),
  [`${at}.user`]: (value, { ssh }) => {
    ssh.user = asText(value);
    return undefined;
  },
  [`${at}.port`]: (value, { ssh }) => {
    ssh.port = asInt(value);
    return ssh.port === undefined ? REASONS.unreadable : undefined;
  },
  [`${at}.keyPath`]: (value, { ssh }) => keyFileRule(value, ssh),
  [`${at}.bastion.address`]: (value, { ssh }) => {
    const found = asText(value);
    if (found === undefined) return REASONS.unreadable;
    ssh.jump = { address: found };
    return undefined;
  },
  [`${at}.bastion.user`]: (value, { ssh }) => {
    if (ssh.jump) ssh.jump.user = asText(value);
    return undefined;
  },
  [`${at}.bastion.port`]: (value, { ssh }) => {
    if (ssh.jump) ssh.jump.port = asInt(value);
    return undefined;
  },
  [`${at}.bastion.keyPath`]: (value, { ssh }) => {
    const login: DraftSsh = {};
    const reason = keyFileRule(value, login);
    if (ssh.jump && login.credential) ssh.jump.credential = login.credential;
    return reason;
  },
});

/** `--labels=a=b,c=d` and `--taints=a=b:NoSchedule` of a host; other flags do not map. */
const installFlags: Rule<DraftHost> = (value, host) => {
  const flags = asTexts(value);
  if (!flags) return REASONS.unreadable;
  const refused: string[] = [];
  for (const flag of flags) {
    const [, name = '', quoted = ''] = /^--(labels|taints)[= ](.*)$/.exec(flag) ?? [];
    const given = quoted.replace(/^(["'])(.*)\1$/, '$2');
    const reason = name === 'labels' ? labels(given, host) : name === 'taints' ? taints(given, host) : REASONS.none;
    if (reason !== undefined) refused.push(reason);
  }
  return refused.length === 0 ? undefined : 'only the flags --labels and --taints map';
};

const HOST_RULES: Rules<DraftHost> = {
  role: () => undefined,
  hostname: () => undefined,
  ...sshRules('ssh'),
  ...sshRules('openSSH'),
  privateAddress: address('internalAddress'),
  installFlags,
  noTaints: () => undefined,
  uploadBinary: no('files come from the mirror or from the official release files'),
  k0sBinaryPath: no('clusters of Kubewright do not run k0s'),
  'localhost.enabled': no('every host is reached over SSH'),
  os: no('the distribution is found out'),
};

const BELOW = 'network';
/** Paths below `spec` of a k0s ClusterConfig. */
const CONFIG_RULES: Rules = {
  [`${BELOW}.provider`]: podNetwork({ calico: 'calico', custom: 'external-network' }),
  [`${BELOW}.podCIDR`]: text('network.podCidr'),
  [`${BELOW}.serviceCIDR`]: text('network.serviceCidr'),
  [`${BELOW}.clusterDomain`]: text('network.clusterDomain'),
  [`${BELOW}.kubeProxy.mode`]: text('phases.nodes.kubeProxy.mode'),
  [`${BELOW}.kubeProxy.disabled`]: only(['false'], 'kube-proxy runs on every node (docs/proxy.md)'),
  [`${BELOW}.calico.mode`]: ifPhase(
    'calico',
    choice(
      {
        vxlan: (draft) => draft.set('phases.calico.mode', 'vxlan'),
        ipip: (draft) => draft.set('phases.calico.mode', 'ipip'),
        bird: (draft) => draft.set('phases.calico.mode', 'bgp'),
      },
      'is no mode of phase calico',
    ),
  ),
  [`${BELOW}.calico.mtu`]: ifPhase('calico', int('network.mtu')),
  [`${BELOW}.nodeLocalLoadBalancing.enabled`]: (value, draft) => {
    if (asBool(value) !== true) return undefined;
    if (draft.get('controlPlane.endpoint') !== undefined) return 'the endpoint is spec.api.externalAddress';
    draft.set('controlPlane.endpoint', { provider: 'node-local' });
    return undefined;
  },
  'api.externalAddress': (value, draft) => {
    const host = asText(value);
    if (host === undefined) return undefined;
    draft.set('controlPlane.endpoint', { provider: 'external', host });
    return undefined;
  },
  'api.sans': texts('phases.master.certificateNames'),
  'api.port': only(['6443'], 'API servers listen on port 6443'),
  'storage.type': only(['etcd'], 'the store of a cluster is etcd'),
};

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Applies rules to what stands at their paths, and lists the rest. `at`: where the document stands. */
function applyRules<Target>(
  document: unknown,
  at: string,
  { rules, target, draft }: { rules: Rules<Target>; target: Target; draft: Draft },
): void {
  for (const [path, rule] of Object.entries(rules)) {
    const value = path
      .split('.')
      .reduce<unknown>(
        (below, key) => (isObject(below) && Object.hasOwn(below, key) ? below[key] : undefined),
        document,
      );
    if (value === undefined || value === null || value === '') continue;
    const secret = typeof value === 'string' && (isSecretName(path) || isSecretText(value));
    const reason = secret ? SECRET_REASON : rule(value, target);
    if (reason !== undefined) draft.leave(`${at}.${path}`, value, reason);
  }
  leaveRest(document, at, '', rules, draft);
}

function leaveRest(value: unknown, at: string, path: string, rules: Rules<never>, draft: Draft): void {
  if (path !== '' && Object.hasOwn(rules, path)) return;
  const isAbove = path === '' || Object.keys(rules).some((known) => known.startsWith(`${path}.`));
  if (isAbove && isObject(value)) {
    for (const [key, each] of Object.entries(value))
      leaveRest(each, at, path === '' ? key : `${path}.${key}`, rules, draft);
  } else draft.leave(path === '' ? at : `${at}.${path}`, value, REASONS.none);
}

function convertHost(given: unknown, index: number, draft: Draft): void {
  const at = `spec.hosts[${index}]`;
  if (!isObject(given)) throw malformed(`${at} must be an object`);
  const role = asText(given['role']) ?? '';
  if (!Object.hasOwn(ROLES, role)) throw malformed(`${at}.role must be one of ${Object.keys(ROLES).join(', ')}`);
  const login = [given['ssh'], given['openSSH']].find(isObject);
  const own = asText(login?.['address']) ?? '';
  const hostname = asText(given['hostname']);
  const host = draft.host(hostLabel(hostname ?? own), own);
  if (hostname === undefined)
    draft.leave(
      `${at}.hostname`,
      undefined,
      `is missing: the host is named ${host.name} in the spec, and a build sets its name`,
    );
  for (const each of ROLES[role]!) host.roles.add(each);
  if (role === 'controller+worker' && asBool(given['noTaints']) !== true)
    draft.leave(`${at}.noTaints`, false, 'a control plane with the role worker has no taint: all pods may run there');
  applyRules(given, at, { rules: HOST_RULES, target: host, draft });
}

function convert({ objects }: Pasted, draft: Draft): void {
  for (const object of objects) {
    const version = asText(object['apiVersion']) ?? '';
    const spec = isObject(object['spec']) ? object['spec'] : {};
    const metadata = isObject(object['metadata']) ? object['metadata'] : {};
    if (K0SCTL.test(version)) {
      const name = asText(metadata['name']);
      if (name !== undefined) draft.name ??= hostLabel(name);
      const hosts = spec['hosts'];
      if (!Array.isArray(hosts)) throw malformed('spec.hosts must be a list');
      for (const [index, each] of hosts.entries()) convertHost(each, index, draft);
      const k0s = isObject(spec['k0s']) ? spec['k0s'] : {};
      const { config, ...rest } = k0s;
      applyRules(rest, 'spec.k0s', { rules: { version: versionAt('kubernetes.version') }, target: draft, draft });
      if (isObject(config)) convertConfig(config, 'spec.k0s.config.spec', draft);
      if (spec['options'] !== undefined) draft.leave('spec.options', spec['options'], REASONS.none);
    } else if (K0S.test(version)) convertConfig(object, 'ClusterConfig.spec', draft);
    else draft.leave(asText(object['kind']) ?? 'document', undefined, 'is no document of k0sctl');
  }
}

const convertConfig = (config: Json, at: string, draft: Draft): void =>
  applyRules(isObject(config['spec']) ? config['spec'] : {}, at, { rules: CONFIG_RULES, target: draft, draft });

/** k0sctl.yaml (k0sproject/k0sctl), with the configuration of k0s inside or behind it. */
export default defineImportFormat({
  name: 'k0sctl',
  title: 'k0sctl (YAML)',
  recognizes: ({ objects }) => objects.some(({ apiVersion }) => K0SCTL.test(asText(apiVersion) ?? '')),
  convert,
});
