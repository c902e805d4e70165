import { describe, expect, it } from 'vitest';
import { fixture, imported, reasonOf, specOf } from './support.ts';

const rolesOf = (spec: { hosts: { name: string; roles: string[] }[] }) =>
  Object.fromEntries(spec.hosts.map(({ name, roles }) => [name, roles.join(' ')]));

describe('Kubespray in INI', async () => {
  const result = await imported(fixture('kubespray.ini'));
  const { metadata, spec } = specOf(result);

  it('has hosts of ranges and child groups, with roles, addresses and logins', () => {
    expect(result.format).toBe('kubespray');
    expect(metadata.name).toBe('imported');
    expect(rolesOf(spec)).toEqual({
      cp1: 'control-plane etcd',
      cp2: 'control-plane etcd',
      cp3: 'control-plane etcd',
      'work-01-site-example': 'worker',
      'work-02-site-example': 'worker',
      'work-03-site-example': 'worker',
    });
    expect(spec.hosts[0]).toMatchObject({ address: '192.0.2.11', internalAddress: '10.9.0.11' });
    expect(spec.hosts[2].ssh).toEqual({ port: 2222 });
    expect(spec.ssh).toEqual({
      user: 'builder',
      credential: { keyFile: '/home/builder/.ssh/id_ed25519' },
      jump: {
        address: '198.51.100.7',
        user: 'gate',
        credential: { keyFile: '/home/builder/.ssh/id_ed25519' },
      },
    });
  });

  it('has the settings of the cluster, labels of a group and taints of a host', () => {
    expect(spec.kubernetes).toEqual({ version: '1.36.3' });
    expect(spec.network).toEqual({
      podCidr: '10.50.0.0/16',
      serviceCidr: '10.40.0.0/16',
      nodeCidrMaskSize: 24,
      clusterDomain: 'site.local',
    });
    expect(spec.phases).toEqual({
      flannel: { backend: 'host-gw' },
      docker: {},
      nodes: { kubeProxy: { mode: 'ipvs' } },
      metrics: { enabled: false },
    });
    expect(spec.hosts[4]).toMatchObject({
      labels: { zone: 'north', 'example.com/disk': 'ssd' },
      taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }],
    });
    expect(spec.hosts[3]).not.toHaveProperty('taints');
  });

  it('lists what does not map with its reason, and what the server would refuse', () => {
    expect(reasonOf(result, 'all.vars.helm_enabled')).toMatch(/no counterpart/);
    expect(reasonOf(result, 'hosts.cp1.etcd_member_name')).toMatch(/names of their hosts/);
    expect(reasonOf(result, 'hosts.cp2.etcd_member_name')).toBeUndefined();
    expect(reasonOf(result, 'all.vars.kube_apiserver_ip')).toMatch(/template/);
    expect(reasonOf(result, 'hosts.work-01.site.example')).toMatch(/work-01-site-example/);
    expect(result.problems).toEqual([expect.objectContaining({ path: 'spec.phases.docker.criDockerdVersion' })]);
  });

  it('shows no secret', () => {
    const answer = JSON.stringify(result);
    for (const secret of ['Tr0ub4dor', 'hunter2', 's3cr3t', 'ANSIBLE_VAULT', '6231363838363261'])
      expect(answer).not.toContain(secret);
    for (const path of [
      'all.vars.ansible_password',
      'all.vars.ansible_become_pass',
      'all.vars.registry_auth[0].password',
      'all.vars.vaulted',
    ]) {
      const found = result.unmapped.find((each) => each.path === path);
      expect(found?.reason, path).toMatch(/needs a credential/);
      expect(found, path).not.toHaveProperty('value');
    }
  });
});

describe('Kubespray in YAML', async () => {
  const result = await imported(fixture('kubespray.yml'), { name: 'east', credential: 'east-key' });
  const { metadata, spec } = specOf(result);

  it('passes the validation of the server once it has a credential', () => {
    expect(result.problems).toEqual([]);
    expect(metadata.name).toBe('east');
    expect(spec.ssh).toEqual({ credential: { name: 'east-key' } });
    expect(spec.hosts.map(({ ssh }: { ssh: { user: string } }) => ssh.user)).toEqual([
      'root',
      'worker',
      'worker',
      'worker',
    ]);
  });

  it('has Calico by IP-in-IP, the balancer, the proxy and typed options', () => {
    expect(spec.phases).toEqual({
      calico: { mode: 'ipip' },
      nodes: { kubelet: { maxPods: 200 } },
      master: { apiServer: { nodePortRange: '31000-31999' } },
    });
    expect(spec.controlPlane).toEqual({
      endpoint: { provider: 'external', host: 'api.site.example', port: 8443 },
    });
    expect(spec.proxy).toEqual({
      http: 'http://proxy.site.example:3128',
      noProxy: ['.site.example', '10.0.0.0/8'],
    });
    expect(spec.hosts[1].labels).toEqual({ rack: '7', spot: 'true' });
    expect(reasonOf(result, 'hosts.lonely')).toMatch(/no group/);
  });
});

it('kubeasz: names of nodes, balancers with their address, and config.yml behind the hosts', async () => {
  const result = await imported(fixture('kubeasz.ini'), { credential: 'plant' });
  const { metadata, spec } = specOf(result);
  expect(result.format).toBe('kubeasz');
  expect(result.problems).toEqual([]);
  expect(metadata.name).toBe('plant');
  expect(rolesOf(spec)).toEqual({
    'master-01': 'control-plane etcd time-server',
    'k8s-10-7-0-2': 'control-plane etcd',
    'k8s-10-7-0-3': 'etcd',
    'k8s-10-7-0-4': 'worker',
    'k8s-10-7-0-6': 'load-balancer',
    'k8s-10-7-0-7': 'load-balancer',
  });
  expect(spec.controlPlane.endpoint).toEqual({ provider: 'load-balancer', host: '10.7.0.250', port: 8443 });
  expect(spec.network).toMatchObject({ podCidr: '172.20.0.0/16', nodeCidrMaskSize: 25, clusterDomain: 'plant.local' });
  expect(spec.phases.calico).toEqual({ mode: 'ipip' });
  expect(spec.phases.master).toEqual({
    apiServer: { nodePortRange: '30000-32000' },
    certificateNames: ['10.7.0.250', 'k8s.plant.example'],
  });
  expect(reasonOf(result, 'harbor')).toMatch(/Harbor/);
});

it('k0sctl: roles, bastion, labels and taints of flags, and the configuration of k0s', async () => {
  const result = await imported(fixture('k0sctl.yaml'));
  const { metadata, spec } = specOf(result);
  expect(result.format).toBe('k0sctl');
  expect(metadata.name).toBe('edge-cluster');
  expect(rolesOf(spec)).toEqual({ 'edge-a': 'control-plane etcd worker', 'k8s-198-51-100-32': 'worker' });
  expect(spec.kubernetes.version).toBe('1.36.3');
  expect(spec.hosts[0]).toMatchObject({
    internalAddress: '10.3.0.1',
    ssh: { port: 2200, jump: { address: '198.51.100.1', user: 'gate', credential: { keyFile: '/etc/keys/gate' } } },
  });
  expect(spec.hosts[1]).toMatchObject({
    labels: { tier: 'edge', zone: 'a' },
    taints: [{ key: 'edge', value: 'true', effect: 'NoSchedule' }],
  });
  expect(spec.controlPlane.endpoint).toEqual({ provider: 'external', host: 'api.edge.example' });
  expect(reasonOf(result, 'spec.hosts[0].ssh.keyPath')).toMatch(/needs a credential/);
  expect(reasonOf(result, 'spec.hosts[1].hooks.apply.before[0]')).toMatch(/no counterpart/);
  expect(JSON.stringify(result)).not.toContain('pa55');
  expect(result.problems).toEqual([{ path: 'spec.hosts[0].ssh.credential', message: expect.any(String) }]);
});

/** One line of an inventory each, and what it sets; null: it is listed instead. */
const SETTINGS: [string, string, unknown][] = [
  ['kube_version=1.35.9', 'kubernetes.version', '1.35.9'],
  ['kube_version=latest', 'kubernetes.version', null],
  ['kube_network_plugin=cilium', 'phases.cilium', null],
  ['kube_network_plugin=cni', 'phases.external-network', {}],
  ['container_manager=crio', 'phases.crio', null],
  ['container_manager=containerd', 'phases', undefined],
  ['calico_mtu=1440', 'network.mtu', null],
  ['kubelet_max_pods="many"', 'phases.nodes', null],
  ['loadbalancer_apiserver_localhost=true', 'controlPlane.endpoint', { provider: 'node-local' }],
  ["supplementary_addresses_in_ssl_keys=['10.0.0.9']", 'phases.master.certificateNames', ['10.0.0.9']],
  ['etcd_deployment_type=kubeadm', 'controlPlane', { engine: 'kubeadm', etcd: 'stacked' }],
  ['http_proxy=http://me:word@proxy:3128', 'proxy', null],
  ['ntp_servers=["0.ntp.example iburst"]', 'phases.chrony.servers', ['0.ntp.example']],
  ['kubernetes_audit=False', 'phases.master.audit.enabled', false],
];

it.each(SETTINGS)('%s', async (line, path, value) => {
  const result = await imported(`[kube_control_plane]\na\n[etcd]\na\n[all:vars]\n${line}\n`);
  const found = path.split('.').reduce((at, key) => at?.[key], specOf(result).spec);
  expect(found).toEqual(value ?? undefined);
  const listed = result.unmapped.some(({ path: at }) => at === `all.vars.${line.split('=')[0]}`);
  expect(listed).toBe(value === null);
});

it('the value of the most special group counts, and that of the host before it', async () => {
  const result = await imported(
    [
      '[kube_control_plane]\na ansible_user=own\nb',
      '[etcd]\na',
      '[kube_node]\nc',
      '[k8s_cluster:children]\nkube_control_plane\nkube_node',
      '[all:vars]\nansible_user=everyone\nkube_proxy_mode=iptables',
      '[k8s_cluster:vars]\nansible_user=cluster\nkube_proxy_mode=ipvs',
      '[kube_node:vars]\nansible_user=workers',
    ].join('\n'),
  );
  const { spec } = specOf(result);
  expect(spec.hosts.map(({ ssh }: { ssh: { user: string } }) => ssh.user)).toEqual(['own', 'cluster', 'workers']);
  expect(spec.phases.nodes.kubeProxy.mode).toBe('ipvs');
  expect(reasonOf(result, 'all.vars.kube_proxy_mode')).toMatch(/k8s_cluster/);
});
