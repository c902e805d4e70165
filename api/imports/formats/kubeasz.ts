import { type AnsibleTables, convertInventory } from '../ansible/convert.ts';
import type { Inventory } from '../ansible/inventory.ts';
import type { Draft } from '../draft.ts';
import { defineImportFormat } from '../format.ts';
import {
  asInt,
  asText,
  bool,
  choice,
  containerRuntime,
  hostLabel,
  ifPhase,
  int,
  no,
  only,
  phaseSwitch,
  podNetwork,
  REASONS,
  type Rule,
  text,
  texts,
  versionAt,
} from '../values.ts';

/** kubeasz names a node `k8s_nodename`, in lower case with `-` for `_`; without one after its address. */
function nodeName(host: string, inventory: Inventory): string {
  const given = asText(inventory.ofHost(host, 'k8s_nodename')?.value);
  return hostLabel(given ?? host);
}

/** A word of a template, such as `__k8s_ver__`, which kubeasz would have replaced. */
const filled =
  (rule: Rule): Rule =>
  (value, draft) =>
    /^__\w+__$/.test(asText(value) ?? '') ? 'is a placeholder that kubeasz fills' : rule(value, draft);

const calicoOverlay: Rule = choice(
  {
    always: (draft) => ipip(draft),
    crosssubnet: (draft) => ipip(draft),
    never: () => {},
  },
  'is no mode of phase calico',
);
/** In VXLAN there is nothing else to wrap packets in. */
const ipip = (draft: Draft): void => {
  if (draft.get('phases.calico.mode') !== 'vxlan') draft.set('phases.calico.mode', 'ipip');
};

const PATHS = no(REASONS.sameAlways);

const TABLES: AnsibleTables = {
  roles: {
    kube_master: 'control-plane',
    'kube-master': 'control-plane',
    etcd: 'etcd',
    kube_node: 'worker',
    'kube-node': 'worker',
    ex_lb: 'load-balancer',
    'ex-lb': 'load-balancer',
    chrony: 'time-server',
  },
  otherGroups: {
    harbor:
      'no phase installs Harbor; nodes reach one by spec.registries, and the role registry is the registry of a cluster',
  },
  gathering: ['all', 'ungrouped'],
  nameOf: nodeName,
  hostRules: {
    k8s_nodename: () => undefined,
    LB_ROLE: no('the balancers of a cluster are equal; the first of the spec begins with the address'),
    EX_APISERVER_VIP: () => undefined,
    EX_APISERVER_PORT: () => undefined,
  },
  clusterRules: {
    CLUSTER_NAME: (value, draft) => {
      const name = asText(value);
      if (name !== undefined) draft.name ??= hostLabel(name);
      return name === undefined ? REASONS.unreadable : undefined;
    },
    K8S_VER: filled(versionAt('kubernetes.version')),
    CONTAINER_RUNTIME: containerRuntime({ containerd: null, docker: 'docker' }),
    DOCKER_STORAGE_DIR: ifPhase('docker', text('phases.docker.dataRoot')),
    CLUSTER_NETWORK: podNetwork({ calico: 'calico', flannel: 'flannel' }),
    SERVICE_CIDR: text('network.serviceCidr'),
    CLUSTER_CIDR: text('network.podCidr'),
    NODE_CIDR_LEN: int('network.nodeCidrMaskSize'),
    CLUSTER_DNS_DOMAIN: text('network.clusterDomain'),
    PROXY_MODE: text('phases.nodes.kubeProxy.mode'),
    NODE_PORT_RANGE: text('phases.master.apiServer.nodePortRange'),
    SECURE_PORT: only(['6443'], 'API servers listen on port 6443'),
    MAX_PODS: int('phases.nodes.kubelet.maxPods'),
    MASTER_CERT_HOSTS: texts('phases.master.certificateNames'),
    ENABLE_CLUSTER_AUDIT: bool('phases.master.audit.enabled'),
    FLANNEL_BACKEND: ifPhase('flannel', text('phases.flannel.backend')),
    CALICO_NETWORKING_BACKEND: ifPhase(
      'calico',
      choice(
        {
          vxlan: (draft) => draft.set('phases.calico.mode', 'vxlan'),
          bird: (draft) => draft.set('phases.calico.mode', 'bgp'),
          brid: (draft) => draft.set('phases.calico.mode', 'bgp'),
        },
        'is no mode of phase calico',
      ),
    ),
    CALICO_ENABLE_OVERLAY: ifPhase('calico', calicoOverlay),
    dns_install: only(['yes', 'true'], 'CoreDNS is part of every cluster'),
    metricsserver_install: phaseSwitch('metrics'),
    dashboard_install: phaseSwitch('dashboard'),
    ENABLE_LOCAL_DNS_CACHE: only(['false'], 'no phase runs a cache of DNS on nodes'),
    bin_dir: PATHS,
    base_dir: PATHS,
    cluster_dir: PATHS,
    ca_dir: PATHS,
    ETCD_DATA_DIR: only(['/var/lib/etcd'], 'etcd has its data in /var/lib/etcd'),
  },
};

/** The virtual address of the balancers is the endpoint of the cluster. */
function endpointOf(inventory: Inventory, draft: Draft): void {
  const balancers = ['ex_lb', 'ex-lb'].flatMap((group) => inventory.hostsOf(group));
  for (const host of balancers) {
    const address = asText(inventory.ofHost(host, 'EX_APISERVER_VIP')?.value);
    const port = asInt(inventory.ofHost(host, 'EX_APISERVER_PORT')?.value);
    if (address === undefined) continue;
    draft.set('controlPlane.endpoint', {
      provider: 'load-balancer',
      host: address,
      ...(port === undefined ? {} : { port }),
    });
    return;
  }
}

/** The hosts file of kubeasz (easzlab/kubeasz), with its config.yml behind it. */
export default defineImportFormat({
  name: 'kubeasz',
  title: 'kubeasz (hosts and config.yml)',
  recognizes: ({ inventory }) =>
    inventory.groups.has('kube_master') ||
    ['CLUSTER_NETWORK', 'CONTAINER_RUNTIME', 'CLUSTER_CIDR'].some((name) => inventory.ofGroups(name).length > 0),
  convert: ({ inventory }, draft) => {
    convertInventory(inventory, draft, TABLES);
    endpointOf(inventory, draft);
  },
});
