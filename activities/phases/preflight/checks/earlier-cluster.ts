import type { ClusterSpec } from '../../../../contracts/cluster.ts';
import type { Host } from '../../../../contracts/host.ts';
import { OURS } from '../../../leftovers/scripts.ts';
import { whose } from '../../../leftovers/tools.ts';
import { rawPhaseOptions } from '../../options.ts';
import { runsPods } from '../../placement.ts';
import { unitsOf } from '../../requires.ts';
import { defineCheck } from '../check.ts';

/** What only clusters run. containerd itself counts by its unit: Docker's is no cluster, but it has our socket. */
const PROCESSES =
  'kubelet kube-proxy kube-apiserver kube-controller-manager kube-scheduler k3s k3s-server k3s-agent k0s rke2 kubelite flanneld calico-node cilium-agent antrea-agent crio';

const UNITS =
  'k3s k3s-agent k0scontroller k0sworker rke2-server rke2-agent snap.microk8s.daemon-kubelite kubelet crio cri-docker';

type Found = { message: string; evidence: string };

const WORDS: Readonly<Record<string, (...words: string[]) => Found>> = {
  process: (name = '', pid = '', exe = '', unit = '-') => ({
    message: `${name} of another cluster runs (pid ${pid})`,
    evidence: `process ${pid}: ${exe}${unit === '-' ? '' : `, of ${unit}`}${whose(exe, unit, name)}`,
  }),
  unit: (unit = '', path = '') => ({
    message: `${unit} of another cluster is enabled: it starts with the machine`,
    evidence: `${path}${whose(unit, path)}`,
  }),
  runtime: (pid = '', exe = '', file = '', owner = '-') => ({
    message: `containerd.service is another one, which runs (pid ${pid}): ours has its name, socket and configuration`,
    evidence: `${file}${owner === '-' ? '' : ` of the package ${owner}`} starts ${exe}; /etc/containerd/config.toml is its own${whose(exe)}`,
  }),
  file: (path = '', count = '1') => ({
    message: `${path} is of an earlier cluster`,
    evidence: `${path}${Number(count) > 1 ? ` and ${Number(count) - 1} more` : ''}${whose(path)}`,
  }),
  kubelet: (path = '', newest = '', count = '') => ({
    message: `${path} has the data of an earlier kubelet`,
    evidence: `${count} files, the newest ${newest}: state of another kubelet can keep ours from starting, and ours removes volumes of pods that it does not know${whose(path)}, or move it elsewhere`,
  }),
  registry: (path = '', newest = '', count = '') => ({
    message: `${path} has the data of another registry`,
    evidence: `${count} files, the newest ${newest}; to keep it: another folder (spec.phases.registry.storageDir), or mv; to give it up: rm -rf ${path}`,
  }),
};

/** The kubelet's folder, where a flag says another one. */
function kubeletRoot({ cluster, host }: { cluster: ClusterSpec; host: Host }): string {
  const { kubelet } = rawPhaseOptions(cluster, 'nodes', host);
  const flags = typeof kubelet === 'object' && kubelet !== null && 'extraArgs' in kubelet ? kubelet.extraArgs : {};
  const root = typeof flags === 'object' && flags !== null && 'root-dir' in flags ? flags['root-dir'] : undefined;
  return typeof root === 'string' ? root.replace(/\/$/, '') : '/var/lib/kubelet';
}

export default defineCheck({
  name: 'earlier-cluster',
  about: 'leftovers',
  title: 'Another cluster on the machine',
  inspects:
    'Processes and enabled units of k3s, RKE2, k0s, MicroK8s, kubeadm and others, a foreign containerd.service, files of kubeadm and similar tools in /etc/kubernetes, data of another kubelet; on control planes and workers where Kubewright has not placed a kubelet before. Data of another registry on the registry host.',
  codes: ['EARLIER_CLUSTER_FOUND'],
  probe: {
    script: `
${OURS}
storage=$1 kube=$2 root=$3 containerd=$4
filled() { # <kind> <folder>
  found=$(find "$2/" -xdev ! -type d -printf '%T@ %p\\n' 2>/dev/null | head -n 10000)
  # Logins for the kubelet are there before it.
  ! ours "$2/config.json" || found=$(printf '%s\\n' "$found" | grep -v " $2/*config[.]json$")
  [ -z "$found" ] || say "$1" "$2" "$(printf '%s\\n' "$found" | sort -rn | head -n 1 | cut -d ' ' -f 2-)" "$(printf '%s\\n' "$found" | wc -l)"
}
[ -z "$storage" ] || ours registry.service || filled registry "$storage/docker"
[ -n "$kube" ] && ! ours kubelet.service || return 0
unit_of() { sed -n 's|.*/\\([^/]*[.]service\\).*|\\1|p' "/proc/$1/cgroup" 2>/dev/null | head -n 1; }
find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -printf '%h %l\\n' 2>/dev/null | while read -r process exe; do
  name=\${exe##*/} name=\${name%% *}
  case " ${PROCESSES} " in *" $name "*) ;; *) continue ;; esac
  pid=\${process#/proc/} unit=$(unit_of "\${process#/proc/}")
  ours "\${unit:--}" || say process "$name" "$pid" "$exe" "\${unit:--}"
done | head -n 20
for unit in ${UNITS}; do
  ! ours "$unit.service" || continue
  for path in /etc/systemd/system/*.wants/"$unit.service"; do
    [ ! -e "$path" ] || { say unit "$unit.service" "$path"; break; }
  done
done
if [ -n "$containerd" ] && ! ours containerd.service; then
  pid=$(systemctl show -p MainPID --value containerd.service 2>/dev/null)
  file=$(systemctl show -p FragmentPath --value containerd.service 2>/dev/null)
  [ "\${pid:-0}" = 0 ] || say runtime "$pid" "$(readlink "/proc/$pid/exe")" "\${file:--}" "$(owner "\${file:--}")"
fi
if ! ours kube-apiserver.service; then
  # One line for each kind: a folder of manifests is one thing to clean.
  for kind in '/etc/kubernetes/manifests/*.y*ml' '/etc/kubernetes/*admin.conf' '/etc/kubernetes/*kubelet.conf' /etc/kubernetes/pki/ca.key \\
    /etc/kubernetes/ssl/ca.pem '/etc/kubernetes/ssl/kube-ca*.pem' /etc/kubernetes/kubelet.env; do
    set -- $kind
    [ ! -e "$1" ] || ours "$1" || say file "$1" "$#"
  done
fi
filled kubelet "$root"
return 0`,
    args: ({ cluster, host, requirements }) => {
      const registry = host.roles.includes('registry');
      if (!registry && !runsPods(host)) return null;
      const { storageDir } = rawPhaseOptions(cluster, 'registry', host);
      const storage = typeof storageDir === 'string' ? storageDir.replace(/\/$/, '') : '/var/lib/registry';
      return [
        registry ? storage : '',
        runsPods(host) ? 'yes' : '',
        kubeletRoot({ cluster, host }),
        unitsOf(requirements).includes('containerd.service') ? 'yes' : '',
      ];
    },
  },
  evaluate: (_of, rows) =>
    rows.flatMap(([kind = '', ...words]) => {
      const found = WORDS[kind]?.(...words);
      return found ? [{ code: 'EARLIER_CLUSTER_FOUND' as const, ...found }] : [];
    }),
});
