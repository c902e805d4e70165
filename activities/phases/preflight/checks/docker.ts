import { OURS } from '../../../leftovers/scripts.ts';
import { defineCheck } from '../check.ts';

type Found = { message: string; evidence: string };

const WORDS: Readonly<Record<string, (...words: string[]) => Found>> = {
  package: (name = '', wanted = '') => ({
    message: `the package ${name} is installed, and it cannot stand beside ${wanted}`,
    evidence: `dpkg or rpm: ${name} is installed; installing ${wanted} would remove it, with what runs in it. Remove it, or set spec.phases.docker.packages to the other Docker`,
  }),
  missing: (name = '') => ({
    message: `no repository of the host has the package ${name}`,
    evidence: `the package manager knows no candidate for ${name}; set up the repository that has it, or set spec.phases.docker.packages`,
  }),
  unit: (unit = '', file = '', exec = '') => ({
    message: `${unit} is not that of the package: ${file}`,
    evidence: `${file} starts ${exec}; it hides the unit of the package, so that Docker would run with another program. Stop it, and remove the file`,
  }),
  snap: (unit = '') => ({
    message: `Docker runs as a snap (${unit})`,
    evidence: `${unit} is active: two daemons would use one socket. Remove it: snap remove docker`,
  }),
  containers: (names = '', count = '') => ({
    message: `Docker runs ${count} containers of others: ${names}`,
    evidence: `docker ps: ${names}; nodes run Docker without its bridge and its rules in the packet filter, which these containers would lose. Move them to another host`,
  }),
};

export default defineCheck({
  name: 'docker',
  about: 'leftovers',
  title: 'Docker',
  inspects:
    'With phase `docker`, on control planes and workers: another Docker that is installed (docker-ce, docker.io, podman-docker, a snap), whether a repository has the packages, units of docker and containerd that hide those of the packages; until there is a kubelet of Kubewright, containers that are not of pods.',
  codes: ['RUNTIME_CONFLICT'],
  probe: {
    script: `
${OURS}
wanted=$1 others=$2
there() {
  if command -v dpkg-query >/dev/null; then [ "$(dpkg-query -W -f '\${db:Status-Status}' -- "$1" 2>/dev/null)" = installed ]
  else rpm -q -- "$1" >/dev/null 2>&1; fi
}
for name in $others; do ! there "$name" || say package "$name" "$wanted"; done
for name in $wanted; do
  there "$name" && continue
  # Without lists of packages there is no answer yet: they are read when packages are installed.
  if command -v apt-cache >/dev/null && ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    [ -n "$(LC_ALL=C apt-cache policy "$name" 2>/dev/null | sed -n 's/^ *Candidate: //p' | grep -vxF '(none)')" ] || say missing "$name"
  fi
done
for unit in docker.service docker.socket containerd.service; do
  ! ours "$unit" || continue
  file=$(systemctl show -p FragmentPath --value "$unit" 2>/dev/null)
  case $file in
    /etc/systemd/system/* | /usr/local/*)
      say unit "$unit" "$file" "$(sed -n 's/^ExecStart=//p' "$file" 2>/dev/null | head -n 1)" ;;
  esac
done
! systemctl is-active --quiet snap.docker.dockerd.service 2>/dev/null || say snap snap.docker.dockerd.service
if ! ours kubelet.service && command -v docker >/dev/null && [ -S /run/docker.sock ]; then
  names=$(timeout 5 docker -H unix:///run/docker.sock ps --format '{{.Names}}' 2>/dev/null | grep -v '^k8s_')
  [ -z "$names" ] || say containers "$(printf '%s\\n' "$names" | head -n 5 | tr '\\n' ' ' | sed 's/ $//')" "$(printf '%s\\n' "$names" | wc -l)"
fi
return 0`,
    args: ({ requirements }) => {
      const docker = requirements.flatMap((each) => each.docker ?? [])[0];
      return docker ? [docker.packages.join(' '), docker.others.join(' ')] : null;
    },
  },
  evaluate: (_of, rows) =>
    rows.flatMap(([kind = '', ...words]) => {
      const found = WORDS[kind]?.(...words);
      return found ? [{ code: 'RUNTIME_CONFLICT' as const, ...found }] : [];
    }),
});
