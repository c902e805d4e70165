import type { Family } from './family.ts';

/** Debian, Ubuntu and what is made of them: their names are those that phases use. */
export const debian: Family = {
  name: 'debian',
  packageTool: {
    name: 'apt',
    program: 'apt-get',
    database: 'dpkg-query',
    isInstalled: `[ "$(dpkg-query -W -f '\${db:Status-Status}' -- "$1" 2>/dev/null)" = installed ]`,
    isOffered: `[ -n "$(apt-cache madison -- "$1" 2>/dev/null)" ]`,
    purges: true,
    proxySettings: `for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
    case \${file##*/} in *.conf | apt.conf) ;; *.*) continue ;; esac
    [ ! -f "$file" ] || grep -EHn '^[^#]*Proxy[^"]*"[a-z0-9]+://[^"]+"' "$file" | grep -Ev '^[^:]*:[0-9]*: *//'
  done`,
    settings: ['/etc/apt/'],
  },
  packages: {
    // AppArmor is the distribution's; there are no policies of SELinux for containers.
    'container-selinux': [],
  },
  services: {},
  // `-F 1`: the distribution's filter of system calls.
  unitOptions: { chrony: { variable: 'DAEMON_OPTS', defaults: ['-F', '1'] } },
  accounts: { nginx: 'www-data' },
  paths: { nginxModules: '/usr/lib/nginx/modules' },
  firewall: 'ufw',
  hasContainerPolicies: false,
  startsUnits: true,
};
