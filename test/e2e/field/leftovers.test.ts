import { expect, it } from 'vitest';
import { type DryRun, Field } from './field.ts';

const field = new Field();

const PREPARE = `
mkdir -p /etc/systemd/system/kubelet.service.d /usr/lib/systemd/system/containerd.service.d /etc/cni/net.d
printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/kubelet $KUBELET_CONFIG_ARGS\\n' >/etc/systemd/system/kubelet.service.d/10-kubeadm.conf
printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/containerd\\n' >/usr/lib/systemd/system/containerd.service.d/theirs.conf
printf '[Service]\\nCPUWeight=50\\n' >/etc/systemd/system/kubelet.service.d/50-harmless.conf
for name in 10-calico.conflist 00-theirs.conf 87-podman-bridge.conflist; do echo '{}' >/etc/cni/net.d/$name; done
ip link add cni0 type bridge; ip address add 10.42.0.1/24 dev cni0
ip link add docker0 type bridge
`;
const UNDO = `
rm -f /etc/systemd/system/kubelet.service.d/10-kubeadm.conf /etc/systemd/system/kubelet.service.d/50-harmless.conf
rm -rf /usr/lib/systemd/system/containerd.service.d /etc/cni/net.d/10-calico.conflist /etc/cni/net.d/00-theirs.conf /etc/cni/net.d/87-podman-bridge.conflist
rmdir /etc/systemd/system/kubelet.service.d /etc/cni/net.d /etc/cni 2>/dev/null || :
systemctl daemon-reload
for link in cni0 docker0 virbr9; do ip link delete $link 2>/dev/null || :; done
`;

const words = (errors: DryRun['errors']): string =>
  errors.map(({ code, message, evidence }) => `${code}\n${message}\n${evidence ?? ''}`).join('\n');

it('drop-ins, network configurations and links of other clusters are named with their owner and how to clean them', async () => {
  await field.prepared('cp-1', PREPARE, UNDO, async () => {
    const { error } = await field.refused(field.spec('field-leftovers'));
    expect(error.code).toBe('LEFTOVERS_FOUND');
    const said = `${error.message}\n${error.evidence}`;
    for (const part of [
      '/etc/systemd/system/kubelet.service.d/10-kubeadm.conf replaces what kubelet.service starts',
      'kubeadm reset',
      '/usr/lib/systemd/system/containerd.service.d/theirs.conf',
      '/etc/cni/net.d/10-calico.conflist',
      'of Calico',
      '/etc/cni/net.d/00-theirs.conf',
      'the link cni0 is of another pod network',
      '10.42.0.1/24',
    ]) {
      expect(said).toContain(part);
    }
    // What does not break the cluster is none.
    for (const harmless of ['87-podman', 'docker0', '50-harmless']) expect(said).not.toContain(harmless);
  });
});

it('with `leftovers: clean` the dry run lists what would be removed, and nothing is removed by it', async () => {
  await field.prepared('cp-1', PREPARE, UNDO, async () => {
    const dry = await field.dryRun(field.spec('field-clean', { phases: { preflight: { leftovers: 'clean' } } }));
    expect(dry.errors.filter(({ host }) => host === 'cp-1')).toEqual([]);
    const removed = dry.hosts
      .flatMap(({ changes }) => changes)
      .filter(({ resource }) => resource === 'foreign-leftovers:host');
    expect(removed.map(({ action }) => action)).toEqual(Array(5).fill('remove'));
    expect(await field.on('cp-1', 'ls /etc/cni/net.d/10-calico.conflist; cat /sys/class/net/cni0/ifindex')).toMatch(
      /calico/,
    );
  });
});

it('processes, files and data of another cluster are named, and never cleaned', async () => {
  await field.prepared(
    'cp-1',
    `cp /bin/sleep /usr/local/bin/k3s; systemd-run --quiet --collect --unit k3s /usr/local/bin/k3s 600
     mkdir -p /etc/kubernetes/manifests /var/lib/kubelet; echo '{"policyName":"static"}' >/var/lib/kubelet/cpu_manager_state
     touch /etc/kubernetes/manifests/kube-apiserver.yaml /etc/kubernetes/admin.conf`,
    `systemctl stop k3s 2>/dev/null || :
     rm -rf /usr/local/bin/k3s /var/lib/kubelet/cpu_manager_state /etc/kubernetes; rmdir /var/lib/kubelet 2>/dev/null || :`,
    async () => {
      const dry = await field.dryRun(field.spec('field-k3s', { phases: { preflight: { leftovers: 'clean' } } }));
      const said = words(dry.errors);
      for (const part of [
        'EARLIER_CLUSTER_FOUND',
        'k3s of another cluster runs',
        'k3s-uninstall.sh',
        '/etc/kubernetes/manifests/kube-apiserver.yaml',
        'cpu_manager_state',
      ]) {
        expect(said).toContain(part);
      }
    },
  );
});

it('a route into the range of the pods is named, and so is a folder that leads nowhere', async () => {
  await field.prepared(
    'cp-1',
    `ip link add virbr9 type bridge; ip address add 10.244.77.1/24 dev virbr9; ip link set virbr9 up
     ln -s /mnt/not-mounted/cni /opt/cni`,
    `ip link delete virbr9; rm -f /opt/cni`,
    async () => {
      const said = words((await field.dryRun(field.spec('field-routes'))).errors);
      expect(said).toMatch(/NETWORK_OVERLAPS[^]*the route 10\.244\.77\.\S+ on virbr9 overlaps spec\.network\.podCidr/);
      expect(said).toMatch(/\/opt\/cni is a link to \/mnt\/not-mounted\/cni, which is not there/);
    },
  );
});
