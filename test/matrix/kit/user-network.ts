import { BUSYBOX } from '../../../activities/phases/verify/public.ts';
import { kubeHosts } from '../../../contracts/cluster.ts';
import { type MatrixKit, until } from './kit.ts';

const NAME = 'my-network';
const FILE = `/etc/cni/net.d/10-${NAME}.conflist`;

interface NodeItem {
  metadata: { name: string };
  spec: { podCIDR?: string };
  status: { addresses?: { type: string; address: string }[] };
}

/** On each node: a route to every other one, and the configuration of the plugin bridge. $NODE; a file of `name address range`. */
const AGENT = `
link=$(ip route | awk '$1 == "default" { print $5; exit }')
mtu=$(cat "/sys/class/net/$link/mtu")
while :; do
  while read -r name address range; do
    if [ "$name" != "$NODE" ]; then ip route replace "$range" via "$address"; continue; fi
    config='{"cniVersion":"1.0.0","name":"${NAME}","plugins":[{"type":"bridge","bridge":"mybr0","mtu":'$mtu',"isDefaultGateway":true,"hairpinMode":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"'$range'"}]]}}]}'
    [ "$(cat /host/10-${NAME}.conflist 2>/dev/null)" = "$config" ] || { echo "$config" >/host/.new; mv /host/.new /host/10-${NAME}.conflist; }
  done </config/nodes
  sleep 2
done
`;

/** What a user does who brings a pod network: kubectl, as soon as all nodes have registered. */
export async function installUserNetwork(kit: MatrixKit): Promise<void> {
  const expected = kubeHosts(kit.cluster).length;
  let nodes: NodeItem[] = [];
  await until('nodes with a podCIDR', 300_000, async () => {
    nodes = (await kit.get<{ items: NodeItem[] }>('nodes')).items;
    const ready = nodes.filter(({ spec }) => spec.podCIDR !== undefined).length;
    return ready === expected ? null : `${ready} of ${expected} nodes`;
  });
  const lines = nodes.map(({ metadata, spec, status }) => {
    const address = status.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    return `${metadata.name} ${address} ${spec.podCIDR}\n`;
  });
  const labels = { app: NAME };
  const metadata = { name: NAME, namespace: 'kube-system', labels };
  await kit.apply([
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { nodes: lines.join('') } },
    {
      ...{ apiVersion: 'apps/v1', kind: 'DaemonSet', metadata },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            ...{ hostNetwork: true, tolerations: [{ operator: 'Exists' }], terminationGracePeriodSeconds: 0 },
            containers: [
              {
                ...{ name: 'agent', image: await kit.image(BUSYBOX), command: ['sh', '-c', AGENT] },
                env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
                securityContext: { capabilities: { add: ['NET_ADMIN'] } },
                volumeMounts: [
                  { name: 'config', mountPath: '/config' },
                  { name: 'host', mountPath: '/host' },
                ],
              },
            ],
            volumes: [
              { name: 'config', configMap: { name: NAME } },
              { name: 'host', hostPath: { path: '/etc/cni/net.d' } },
            ],
          },
        },
      },
    },
  ]);
}

/** Takes away what the network of the user left on a host: Kubewright does not know it. */
export async function removeUserNetwork({ onHost }: MatrixKit, host: string): Promise<void> {
  await onHost(
    host,
    `rm -f ${FILE}
       [ ! -e /sys/class/net/mybr0 ] || ip link delete mybr0
       ip route show | while read -r to via rest; do case $to in 10.244.*) [ "$via" != via ] || ip route delete "$to" ;; esac; done
       rm -rf /var/lib/cni/networks/${NAME}
       rmdir /var/lib/cni/networks /var/lib/cni /etc/cni/net.d /etc/cni 2>/dev/null || :`,
  );
}
