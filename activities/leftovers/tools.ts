/** A tool that builds clusters or networks, by what it leaves on a host. Patterns are JavaScript's. */
export interface Tool {
  readonly name: string;
  /** What takes it away, as the operator types it. */
  readonly clean: string;
  /** Names of files, processes, links, chains or units that are its own. */
  readonly signs: readonly RegExp[];
}

/** The first whose sign matches counts. Those of whole distributions come before those of networks. */
const TOOLS: readonly Tool[] = [
  {
    name: 'k3s',
    clean: '`k3s-uninstall.sh`, on an agent `k3s-agent-uninstall.sh`',
    signs: [/(^|\/)k3s(-agent|-server)?(\.service)?$/, /\/rancher\/k3s\//],
  },
  {
    name: 'RKE2',
    clean: '`rke2-uninstall.sh`',
    signs: [/(^|\/)rke2(-server|-agent)?(\.service)?$/, /\/rancher\/rke2\//],
  },
  {
    name: 'RKE',
    clean: '`rke remove`, then Rancher’s clean-up script for nodes',
    signs: [/^\/etc\/kubernetes\/ssl\/kube-ca/, /^\/opt\/rke/],
  },
  {
    name: 'k0s',
    clean: '`k0s stop; k0s reset`, and a restart of the machine',
    signs: [/(^|\/)k0s(controller|worker)?(\.service)?$/, /^\/var\/lib\/k0s\//],
  },
  { name: 'MicroK8s', clean: '`snap remove --purge microk8s`', signs: [/microk8s/, /(^|\/)kubelite$/] },
  {
    name: 'kubespray',
    clean: 'its playbook `reset.yml`',
    signs: [/^\/etc\/kubernetes\/(kubeadm-config\.yaml|kubelet\.env)$/, /^\/etc\/etcd\.env$/],
  },
  {
    name: 'kubeasz',
    clean: '`ezctl destroy CLUSTER`',
    signs: [/^\/etc\/kubernetes\/ssl\/ca\.pem$/, /kubeasz/, /kube-node-drain/],
  },
  {
    name: 'kubeadm',
    clean:
      '`kubeadm reset -f`, `rm -rf /etc/cni/net.d/* /etc/kubernetes`, `apt-get purge kubeadm kubelet` or `dnf remove` them',
    signs: [
      /kubeadm/,
      /^\/etc\/kubernetes\/(manifests\/|(super-)?admin\.conf|(bootstrap-)?kubelet\.conf|pki\/)/,
      /^\/var\/lib\/kubelet/,
    ],
  },
  {
    name: 'Calico',
    clean:
      'delete Calico in its cluster, then `rm` its files in /etc/cni/net.d, `ip link delete` its links, and restart the machine: its chains go',
    signs: [/calico|^cali|^CALI|canal|^tunl0$/],
  },
  {
    name: 'Cilium',
    clean: '`cilium-dbg post-uninstall-cleanup -f` (earlier `cilium cleanup -f`)',
    signs: [/cilium|^(OLD_)?CILIUM_|^lxc_health$/],
  },
  { name: 'Weave Net', clean: '`weave reset --force`', signs: [/weave|^WEAVE|^vxlan-6784$/] },
  {
    name: 'Antrea',
    clean: 'its `delete` manifest, then `ip link delete antrea-gw0`',
    signs: [/antrea|^ANTREA|^genev_sys/],
  },
  {
    name: 'kube-router',
    clean: '`kube-router --cleanup-config`',
    signs: [/kube-router|^kube-bridge$|^kube-dummy-if$|^KUBE-ROUTER/],
  },
  { name: 'Multus', clean: 'delete its DaemonSet, then `rm` its file', signs: [/multus/] },
  {
    name: 'flannel',
    clean: '`ip link delete flannel.1; ip link delete cni0`, `rm` its files in /etc/cni/net.d',
    signs: [/flannel|^FLANNEL-|^cni0$/],
  },
  {
    name: 'kube-proxy',
    clean: '`kube-proxy --cleanup`, or a restart of the machine',
    signs: [/^KUBE-|^kube-ipvs0$|^kube-proxy$|^nodelocaldns$/],
  },
  { name: 'CRI-O', clean: '`systemctl disable --now crio`', signs: [/crio|cri-o/] },
  {
    name: 'Docker',
    clean:
      '`systemctl disable --now docker.socket docker containerd`, or `apt-get purge docker-ce containerd.io docker.io containerd`',
    signs: [/docker|(^|\/)containerd$/],
  },
];

/** Whose a file, process, link, chain or unit is; null where it has no such name. Pure. */
export const toolOf = (...names: readonly string[]): Tool | null =>
  TOOLS.find(({ signs }) => names.some((name) => signs.some((sign) => sign.test(name)))) ?? null;

/** The end of a sentence of evidence: `; of Calico: ...`. Pure. */
export function whose(...names: readonly string[]): string {
  const tool = toolOf(...names);
  return tool ? `; of ${tool.name}. To clean: ${tool.clean}` : '';
}
