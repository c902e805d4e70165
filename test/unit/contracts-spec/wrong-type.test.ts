import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { credentialValue } from '../../../contracts/credential.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { describeIssues } from '../../../contracts/issues.ts';
import { parseClusterSpec } from '../../../contracts/spec-parse.ts';

/** What people write in place of the type that a field has: one sentence says which it must be and how it is written. */

const ALL_PHASES = await loadPhases();
type Json = Record<string, unknown>;
const host = (more: Json = {}): Json => ({
  name: 'n1',
  address: '10.0.0.1',
  roles: ['control-plane', 'etcd'],
  ...more,
});
const document = (more: Json = {}, hosts: unknown = [host()]): Json => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name: 'demo' },
  spec: { hosts, ssh: { credential: { name: 'lab' } }, ...more },
});

function parse(input: Json | string) {
  const text = typeof input === 'string' ? input : stringify(input);
  return parseClusterSpec(text, 'application/yaml', phaseValidator(ALL_PHASES));
}

/** Every problem that is named. */
function problems(input: Json | string): string[] {
  try {
    parse(input);
  } catch (error) {
    if (!KubewrightError.is(error)) throw error;
    return (error.errors ?? []).map(({ path, message }) => `${path} ${message}`);
  }
  return [];
}

const someKeys = 'with keys such as';

describe('a field of another type', () => {
  it.each<[string, Json, string]>([
    [
      'a role',
      document({}, [host({ roles: 'control-plane' })]),
      'spec.hosts[0].roles must be a list: `roles: [control-plane]`',
    ],
    [
      'roles by commas',
      document({}, [host({ roles: 'control-plane, etcd,worker' })]),
      'spec.hosts[0].roles must be a list: `roles: [control-plane, etcd, worker]`',
    ],
    [
      'roles by commas in a list',
      document({}, [host({ roles: ['control-plane,etcd'] })]),
      'spec.hosts[0].roles[0] must be one value each: `[control-plane, etcd]`',
    ],
    [
      'roles as a map',
      document({}, [host({ roles: { etcd: true } })]),
      'spec.hosts[0].roles must be a list: `roles: [etcd]`',
    ],
    [
      'a role that is none',
      document({}, [host({ roles: 'master' })]),
      'spec.hosts[0].roles must be a list of values out of control-plane, etcd, worker, load-balancer, registry, time-server, entry: `roles: [control-plane]`',
    ],
    ['no roles', document({}, [host({ roles: null })]), 'spec.hosts[0].roles must be a list, and is empty'],
    [
      'hosts as a map',
      document({}, { n1: host() }),
      `spec.hosts must be a list of objects ${someKeys} name, address, internalAddress, roles; in place of each key an entry such as \`- name: n1\``,
    ],
    [
      'hosts as texts',
      document({}, ['10.0.0.1']),
      `spec.hosts[0] must be an object ${someKeys} name, address, internalAddress, roles`,
    ],
    [
      'a port in quotes',
      document({}, [host({ ssh: { port: '22' } })]),
      'spec.hosts[0].ssh.port must be a number, without quotes: `port: 22`',
    ],
    ['a port in words', document({}, [host({ ssh: { port: 'ssh' } })]), 'spec.hosts[0].ssh.port must be a number'],
    ['phases as a text', document({ phases: 'flannel' }), 'spec.phases must be an object: `phases: { flannel: {} }`'],
    [
      'phases as a list',
      document({ phases: ['flannel', 'dns'] }),
      'spec.phases must be an object: `phases: { flannel: {}, dns: {} }`',
    ],
    ['options as a text', document({ phases: { flannel: 'vxlan' } }), 'spec.phases.flannel must be an object'],
    [
      'nothing below a key',
      document({ network: null }),
      'spec.network must be an object, and is empty: leave it out, or write: `network: {}`',
    ],
    [
      'a number as a name',
      document({}, [host({ name: 1 })]),
      'spec.hosts[0].name must be a string, in quotes: `name: "1"`',
    ],
    [
      'a version as a number',
      document({ kubernetes: { version: 1.36 } }),
      'spec.kubernetes.version must be a string, in quotes',
    ],
    [
      'an address in a list',
      document({}, [host({ address: ['10.0.0.1'] })]),
      'spec.hosts[0].address must be one string, not a list: `address: 10.0.0.1`',
    ],
    [
      'a label of YAML’s',
      document({}, [host({ labels: { gpu: true } })]),
      'spec.hosts[0].labels.gpu must be a string, in quotes: `gpu: "true"`',
    ],
    [
      'labels as kubectl takes them',
      document({}, [host({ labels: ['a=b'] })]),
      'spec.hosts[0].labels must be an object: `labels: { a: b }`',
    ],
    [
      'taints as kubectl takes them',
      document({}, [host({ taints: 'a=b:NoSchedule' })]),
      `spec.hosts[0].taints must be a list of objects ${someKeys} key, value, effect`,
    ],
    [
      'a switch in words',
      document({ phases: { master: { audit: { enabled: 'yes' } } } }),
      'spec.phases.master.audit.enabled must be true or false, without quotes: `enabled: true`',
    ],
    [
      'one name where names are listed',
      document({ phases: { master: { certificateNames: 'k8s.example.com' } } }),
      'spec.phases.master.certificateNames must be a list: `certificateNames: [k8s.example.com]`',
    ],
    [
      'a number in quotes where a text may stand too',
      document({ policy: { maxQuarantined: '3' } }),
      'spec.policy.maxQuarantined must be a number, without quotes: `maxQuarantined: 3`',
    ],
    [
      'several where one is chosen',
      document({ phases: { flannel: { backend: ['vxlan'] } } }),
      'spec.phases.flannel.backend must be one of vxlan, host-gw, udp, wireguard',
    ],
    [
      'a key that belongs below another',
      document({}, [host({ port: 22 })]),
      'spec.hosts[0] unknown key `port`; did you mean `ssh.port`?',
    ],
    [
      'a misspelt key',
      document({}, [host({ role: ['etcd'] })]),
      'spec.hosts[0] unknown key `role`; did you mean `roles`?',
    ],
  ])('%s', (_what, input, sentence) => {
    // Where there is a second, it is of another kind (a key too many beside one too few).
    const found = problems(input).filter((each) => !each.endsWith('is required'));
    expect(found).toEqual([sentence]);
  });

  it('never repeats what may be a secret', () => {
    const answers = [
      { kind: 'password', password: ['correct-horse'] },
      { kind: 'password', password: 20_011_969 },
      { kind: 'key', privateKey: 'a', passphrase: 20_011_969 },
    ].map((value) => JSON.stringify(describeIssues(credentialValue.safeParse(value).error!, credentialValue, value)));
    for (const answer of answers) expect(answer).not.toMatch(/correct-horse|20011969/);
    expect(answers[1]).toContain('must be a string, in quotes');
    expect(problems(document({ ssh: { credential: 'correct-horse' } })).join()).not.toContain('correct-horse');
  });

  it('is reported for a long text without the text', () => {
    expect(problems(document({}, [host({ roles: 'x'.repeat(5_000) })])).join().length).toBeLessThan(300);
  });
});

describe('addresses', () => {
  it.each([
    ['Node1.Example.COM', 'node1.example.com'],
    ['NODE1', 'node1'],
    ['node1.example.com.', 'node1.example.com'],
    ['Node1.Example.COM.', 'node1.example.com'],
  ])('%s is %s, at each place where an address stands', (written, kept) => {
    const jump = { address: written, credential: { name: 'lab' } };
    const input = document({ ssh: { credential: { name: 'lab' }, jump }, network: { clusterDomain: written } }, [
      host({ address: written, internalAddress: written }),
    ]);
    const { spec } = parse(input);
    expect(spec.hosts[0]).toMatchObject({ address: kept, internalAddress: kept });
    expect(spec.ssh.jump?.address).toBe(kept);
    expect(spec.network.clusterDomain).toBe(kept);
    expect(credentialValue.parse({ kind: 'password', password: 'x', addresses: [written] }).addresses).toEqual([kept]);
    const options = (name: string) => ALL_PHASES.find((phase) => phase.name === name)!.options;
    expect(options('master').parse({ endpoint: written, certificateNames: [written] })).toMatchObject({
      endpoint: kept,
      certificateNames: [kept],
    });
    expect(options('chrony').parse({ pool: [written] })).toMatchObject({ pool: [kept] });
  });

  it('that differ in case only are one address', () => {
    const two = [host({ address: 'A.example' }), { name: 'n2', address: 'a.EXAMPLE.', roles: ['worker'] }];
    expect(problems(document({}, two))).toContain('spec.hosts[1].address duplicates address of hosts[0]: a.example');
    const worker = { name: 'n2', address: 'Kubernetes.Default.SVC', roles: ['worker'] };
    expect(problems(document({}, [host(), worker])).join()).toContain('is a name of the API server');
  });

  it.each([
    ['10.0.0.1:22', 'must be an IPv4 address or a DNS name alone, without a port'],
    ['root@10.0.0.1', 'must be an IPv4 address or a DNS name alone, without a login name'],
    ['fd00::1', 'must be an IPv4 address or a DNS name; this is an IPv6 address'],
    ['10.0.0.0/24', 'must be the address of one machine: an IPv4 address or a DNS name, without `/`'],
    ['node_1', 'must be an IPv4 address or must be a DNS name'],
  ])('%s is refused with its reason', (address, sentence) => {
    expect(problems(document({}, [host({ address })]))).toEqual([`spec.hosts[0].address ${sentence}`]);
  });

  it('are free to have capitals, names of hosts are not', () => {
    expect(problems(document({}, [host({ name: 'Node1' })]))).toEqual([
      'spec.hosts[0].name must be in lower case, as Kubernetes requires for names of nodes and objects: `node1`',
    ]);
  });
});
