import type { Family } from './family.ts';

/** RHEL and what is built from it or like it: CentOS Stream, Rocky, Alma, Oracle, openEuler, Kylin. */
export const rhel: Family = {
  name: 'rhel',
  packageTool: {
    name: 'dnf',
    program: 'dnf',
    database: 'rpm',
    isInstalled: 'rpm -q -- "$1" >/dev/null 2>&1',
    isOffered: 'dnf -q list --available -- "$1" >/dev/null 2>&1 </dev/null',
    purges: false,
    proxySettings: `for file in /etc/dnf/dnf.conf /etc/yum.conf /etc/yum.repos.d/*.repo; do
    [ ! -f "$file" ] || [ -h "$file" ] || grep -EHn '^ *proxy *= *[a-z0-9]+://' "$file"
  done`,
    settings: ['/etc/dnf/', '/etc/yum'],
  },
  packages: {
    // SELinux is the family's.
    apparmor: [],
    conntrack: ['conntrack-tools'],
    // There from the start as curl-minimal, which excludes the full one.
    curl: [],
    'docker.io': {
      lacks: 'the family has podman in its place; add the repository of Docker and install docker-ce',
    },
    gnupg: ['gnupg2'],
    iproute2: ['iproute'],
    iptables: ['iptables-nft'],
    'libnginx-mod-stream': ['nginx-mod-stream'],
    mount: ['util-linux'],
    // /etc/protocols is of `setup`, which no system is without.
    netbase: [],
    ntpsec: { lacks: 'it is only in EPEL; the family synchronizes its clocks by chrony' },
    'openvswitch-switch': {
      lacks:
        'it is only in repositories beside the distribution: enable that of the NFV SIG of CentOS, or Fast Datapath of RHEL',
      elsewhere: 'openvswitch',
    },
    procps: ['procps-ng'],
    'systemd-timesyncd': { lacks: 'it is only in EPEL; the family synchronizes its clocks by chrony' },
  },
  services: { chrony: 'chronyd', 'openvswitch-switch': 'openvswitch', ssh: 'sshd' },
  // `-F 2`: the distribution's filter of system calls.
  unitOptions: { chrony: { variable: 'OPTIONS', defaults: ['-F', '2'] } },
  accounts: { nginx: 'nginx' },
  paths: { nginxModules: '/usr/lib64/nginx/modules' },
  firewall: 'firewalld',
  hasContainerPolicies: true,
  startsUnits: false,
};
