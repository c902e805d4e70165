import { parse } from 'yaml';
import { REGISTRY_ENDPOINT } from '../../../activities/kube/paths.ts';
import type { MatrixCheck } from './case.ts';
import type { MatrixKit } from './kit.ts';

const DAEMONS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

interface PodList {
  items: {
    metadata: { name: string; labels: Record<string, string>; annotations: Record<string, string> };
    spec: { containers: { image: string }[] };
  }[];
}

const planesOf = (kit: MatrixKit) =>
  kit.cluster.spec.hosts.filter(({ roles }) => roles.includes('control-plane')).map(({ name }) => name);

/** What a cluster of kubeadm looks like, and what it must not leave open. `etcdPods`: members that are static pods. */
export const kubeadmChecks = ({ etcdPods }: { etcdPods: number }): MatrixCheck[] => [
  {
    title: 'the control plane is static pods of kubeadm, from images of the cluster’s registry',
    run: async (kit) => {
      const { items } = await kit.get<PodList>('pods', '-n', 'kube-system', '-l', 'tier=control-plane');
      const wanted = planesOf(kit).flatMap((host) => DAEMONS.map((name) => `${name}-${host}`));
      const found = items.map(({ metadata }) => metadata.name);
      const lacking = wanted.filter((name) => !found.includes(name));
      if (lacking.length > 0) throw new Error(`no pods ${lacking.join(', ')}: ${found.join(', ')}`);
      const members = found.filter((name) => name.startsWith('etcd-'));
      if (members.length !== etcdPods) throw new Error(`${members.length} pods of etcd instead of ${etcdPods}`);
      const foreign = items.flatMap(({ spec }) => spec.containers.map(({ image }) => image));
      const elsewhere = foreign.filter((image) => !image.startsWith(`${REGISTRY_ENDPOINT}/`));
      if (elsewhere.length > 0) throw new Error(`images from elsewhere: ${elsewhere.join(', ')}`);
    },
  },
  {
    title: 'the configuration in the cluster is v1beta4, and no token lets a host join',
    run: async (kit) => {
      const map = await kit.get<{ data: Record<string, string> }>('configmap', 'kubeadm-config', '-n', 'kube-system');
      const config = parse(map.data['ClusterConfiguration']!) as { apiVersion: string; kubernetesVersion: string };
      const version = `v${kit.cluster.spec.kubernetes.version}`;
      if (config.apiVersion !== 'kubeadm.k8s.io/v1beta4' || config.kubernetesVersion !== version)
        throw new Error(`ClusterConfiguration of ${config.apiVersion}, ${config.kubernetesVersion}`);
      const field = 'type=bootstrap.kubernetes.io/token';
      const tokens = await kit.kubectl([
        'get',
        'secrets',
        '-n',
        'kube-system',
        '--field-selector',
        field,
        '-o',
        'name',
      ]);
      if (tokens.trim() !== '') throw new Error(`tokens are left: ${tokens}`);
    },
  },
  {
    title: 'kubeadm finds its certificates valid, and kubeadm is who renews them',
    run: async (kit) => {
      const said = await kit.onHost(planesOf(kit)[0]!, 'PATH=$PATH:/usr/local/bin kubeadm certs check-expiration 2>&1');
      for (const name of ['apiserver', 'apiserver-kubelet-client', 'front-proxy-client', 'admin.conf'])
        if (!said.includes(name)) throw new Error(`kubeadm does not know ${name}: ${said}`);
      if (said.includes('<invalid>')) throw new Error(said);
    },
  },
];
