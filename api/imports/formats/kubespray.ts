import { type AnsibleTables, convertInventory } from '../ansible/convert.ts';
import type { Draft } from '../draft.ts';
import { defineImportFormat } from '../format.ts';
import {
  asBool,
  asInt,
  asText,
  asTexts,
  bool,
  choice,
  containerRuntime,
  hostLabel,
  ifPhase,
  int,
  labels,
  no,
  only,
  phaseSwitch,
  podNetwork,
  proxyAt,
  REASONS,
  type Rule,
  taints,
  text,
  texts,
  versionAt,
} from '../values.ts';

const setIf =
  (path: string, value: unknown) =>
  (draft: Draft): void =>
    draft.set(path, value);

/** `loadbalancer_apiserver: { address, port }`: a balancer that is there already. */
const externalBalancer: Rule = (value, draft) => {
  if (typeof value !== 'object' || value === null) return REASONS.unreadable;
  const { address, port } = value as Record<string, unknown>;
  const host = asText(draft.get('controlPlane.endpoint.host')) ?? asText(address);
  if (host === undefined) return REASONS.unreadable;
  draft.set('controlPlane.endpoint', {
    provider: 'external',
    host,
    ...(asInt(port) === undefined ? {} : { port: asInt(port) }),
  });
  return undefined;
};

const localBalancer: Rule = (value, draft) => {
  if (asBool(value) !== true) return undefined;
  if (draft.get('controlPlane.endpoint.provider') !== undefined)
    return 'the endpoint is the balancer that the inventory names';
  draft.set('controlPlane.endpoint', { provider: 'node-local' });
  return undefined;
};

/** `0.pool.ntp.org iburst`. */
const ntpServers: Rule = (value, draft) => {
  const names = asTexts(value)?.map((each) => each.split(/\s/)[0]!);
  if (!names) return REASONS.unreadable;
  if (names.length > 0) draft.set('phases.chrony.servers', names.slice(0, 16));
  return undefined;
};

const TABLES: AnsibleTables = {
  roles: {
    kube_control_plane: 'control-plane',
    'kube-master': 'control-plane',
    etcd: 'etcd',
    kube_node: 'worker',
    'kube-node': 'worker',
  },
  otherGroups: {
    calico_rr:
      'route reflectors do not map: nodes exchange routes with each other, or with spec.phases.calico.bgp.peers',
    'calico-rr':
      'route reflectors do not map: nodes exchange routes with each other, or with spec.phases.calico.bgp.peers',
  },
  gathering: ['all', 'ungrouped', 'k8s_cluster', 'k8s-cluster'],
  nameOf: hostLabel,
  hostRules: {
    ip: (value, host) => {
      host.internalAddress = asText(value);
      return undefined;
    },
    access_ip: (value, host) => {
      const address = asText(value);
      if (address === undefined) return REASONS.unreadable;
      host.internalAddress ??= address;
      return host.internalAddress === address ? undefined : 'hosts reach each other at internalAddress, which is `ip`';
    },
    etcd_member_name: (value, host) =>
      !host.roles.has('etcd') || asText(value) === host.name
        ? undefined
        : 'members of etcd have the names of their hosts',
    node_labels: labels,
    node_taints: taints,
  },
  clusterRules: {
    kube_version: versionAt('kubernetes.version'),
    kube_network_plugin: podNetwork({
      calico: 'calico',
      flannel: 'flannel',
      cni: 'external-network',
      custom_cni: 'external-network',
    }),
    kube_pods_subnet: text('network.podCidr'),
    kube_service_addresses: text('network.serviceCidr'),
    kube_network_node_prefix: int('network.nodeCidrMaskSize'),
    cluster_name: text('network.clusterDomain'),
    dns_domain: text('network.clusterDomain'),
    container_manager: containerRuntime({ containerd: null, docker: 'docker' }),
    docker_daemon_graph: ifPhase('docker', text('phases.docker.dataRoot')),
    docker_cgroup_driver: ifPhase('docker', text('phases.docker.cgroupDriver')),
    kube_proxy_mode: text('phases.nodes.kubeProxy.mode'),
    kube_proxy_strict_arp: only(['false'], 'set spec.phases.nodes.kubeProxy.config for it'),
    kubelet_max_pods: int('phases.nodes.kubelet.maxPods'),
    kube_apiserver_node_port_range: text('phases.master.apiServer.nodePortRange'),
    kube_apiserver_port: only(['6443'], 'API servers listen on port 6443'),
    supplementary_addresses_in_ssl_keys: texts('phases.master.certificateNames'),
    kubernetes_audit: bool('phases.master.audit.enabled'),
    kube_encrypt_secret_data: no('Secrets are encrypted at rest always (spec.phases.master.encryption)'),
    calico_network_backend: ifPhase(
      'calico',
      choice(
        { vxlan: setIf('phases.calico.mode', 'vxlan'), bird: setIf('phases.calico.mode', 'bgp') },
        'is no mode of phase calico',
      ),
    ),
    calico_ipip_mode: ifPhase(
      'calico',
      choice(
        {
          always: setIf('phases.calico.mode', 'ipip'),
          crosssubnet: setIf('phases.calico.mode', 'ipip'),
          never: () => {},
        },
        'is no mode of phase calico',
      ),
    ),
    calico_vxlan_mode: ifPhase(
      'calico',
      only(['always', 'never'], 'phase calico uses VXLAN between all nodes, or none'),
    ),
    calico_pool_blocksize: ifPhase('calico', int('phases.calico.blockSize')),
    calico_mtu: ifPhase('calico', int('network.mtu')),
    nat_outgoing: ifPhase('calico', bool('phases.calico.natOutgoing')),
    flannel_backend_type: ifPhase('flannel', text('phases.flannel.backend')),
    loadbalancer_apiserver: externalBalancer,
    apiserver_loadbalancer_domain_name: (value, draft) => {
      if (draft.get('controlPlane.endpoint.provider') !== 'external') return 'counts with loadbalancer_apiserver only';
      return text('controlPlane.endpoint.host')(value, draft);
    },
    loadbalancer_apiserver_localhost: localBalancer,
    loadbalancer_apiserver_port: only(['6443'], 'the balancer of each node has a port of its own (docs/endpoint.md)'),
    etcd_version: versionAt('phases.etcd.version'),
    etcd_deployment_type: choice(
      {
        host: () => {},
        kubeadm: (draft) => {
          draft.set('controlPlane.engine', 'kubeadm');
          draft.set('controlPlane.etcd', 'stacked');
          for (const { roles } of draft.hosts) if (roles.has('control-plane')) roles.add('etcd');
        },
      },
      'etcd runs as a unit of systemd, or with `kubeadm` as a static pod',
    ),
    etcd_data_dir: only(['/var/lib/etcd'], 'etcd has its data in /var/lib/etcd'),
    http_proxy: proxyAt('proxy.http'),
    https_proxy: proxyAt('proxy.https'),
    no_proxy: (value, draft) =>
      draft.get('proxy') === undefined
        ? 'counts with http_proxy or https_proxy only'
        : texts('proxy.noProxy')(value, draft),
    dns_mode: only(['coredns'], 'the DNS of a cluster is CoreDNS'),
    enable_nodelocaldns: only(['false'], 'no phase runs a cache of DNS on nodes'),
    metrics_server_enabled: phaseSwitch('metrics'),
    dashboard_enabled: phaseSwitch('dashboard'),
    ntp_enabled: only(
      ['true'],
      'clocks are synchronized by phase chrony; where another service does it: spec.phases.chrony.provider: none',
    ),
    ntp_servers: ntpServers,
    ntp_manage_config: no('counts with ntp_servers, which are listed in spec.phases.chrony'),
    bin_dir: no(REASONS.sameAlways),
    kube_config_dir: no(REASONS.sameAlways),
    kube_cert_dir: no(REASONS.sameAlways),
    local_release_dir: no('files come from the mirror or from the official release files'),
  },
};

/** The inventory of Kubespray (kubernetes-sigs/kubespray), INI or YAML, with files of its group_vars behind it. */
export default defineImportFormat({
  name: 'kubespray',
  title: 'Kubespray (Ansible inventory)',
  recognizes: ({ inventory }) => Object.keys(TABLES.roles).some((group) => inventory.groups.has(group)),
  convert: ({ inventory }, draft) => convertInventory(inventory, draft, TABLES),
});
