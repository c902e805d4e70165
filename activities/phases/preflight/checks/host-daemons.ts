import { FAMILIES } from '../../../host/family/families.ts';
import { OURS } from '../../../leftovers/scripts.ts';
import type { RequiredDaemon } from '../../requires.ts';
import { defineCheck } from '../check.ts';

/** sh: is the package $1 installed? By the first family whose database is there. */
const IS_INSTALLED = `${FAMILIES.map(
  ({ packageTool: { database, isInstalled } }, index) =>
    `  ${index === 0 ? 'if' : 'elif'} command -v ${database} >/dev/null; then ${isInstalled}`,
).join('\n')}\n  else false; fi`;

type Found = { message: string; evidence: string };

const WORDS: Readonly<Record<string, (daemon: RequiredDaemon, ...words: string[]) => Found>> = {
  package: ({ packages, setting }, name = '') => ({
    message: `the package ${name} is installed, and it cannot stand beside ${packages.join(', ')}`,
    evidence: `${name} is installed; ${packages.join(', ')} would replace it, with what runs in it. Remove it, or see ${setting}`,
  }),
  missing: ({ setting }, name = '') => ({
    message: `no repository of the host has the package ${name}`,
    evidence: `the package manager knows no candidate for ${name}; set up the repository that has it, or see ${setting}`,
  }),
  unit: ({ what }, unit = '', file = '', exec = '') => ({
    message: `${unit} is not that of the package: ${file}`,
    evidence: `${file} starts ${exec}; it hides the unit of the package, so that ${what} would run with another program. Stop it, and remove the file`,
  }),
  rival: ({ what }, unit = '') => ({
    message: `${what} runs in another form: ${unit}`,
    evidence: `${unit} is active: two daemons would use the same socket. Stop and remove that one`,
  }),
  used: ({ what, loses }, names = '', count = '') => ({
    message: `${what} runs ${count} of others: ${names}`,
    evidence: `${names}: they would lose ${loses}. Move them to another host`,
  }),
};

export default defineCheck({
  name: 'host-daemons',
  about: 'leftovers',
  title: 'Daemons of the host that nodes use',
  inspects:
    'For a container runtime from packages, on the nodes: packages that cannot stand beside its own, whether a repository has those, unit files and other installations (a snap) that would run in its place; until there is a kubelet of Kubewright, containers that are not of pods.',
  codes: ['RUNTIME_CONFLICT'],
  probe: {
    script: `
${OURS}
there() {
${IS_INSTALLED}
}
for name in $2; do ! there "$name" || say package "$name"; done
for name in $1; do
  there "$name" && continue
  # Without lists of packages there is no answer yet: they are read when packages are installed.
  if command -v apt-cache >/dev/null && ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
    [ -n "$(apt-cache policy "$name" 2>/dev/null | sed -n 's/^ *Candidate: //p' | grep -vxF '(none)')" ] || say missing "$name"
  fi
done
for unit in $3; do
  ! ours "$unit" || continue
  file=$(systemctl show -p FragmentPath --value "$unit" 2>/dev/null)
  case $file in
    /etc/systemd/system/* | /usr/local/*)
      say unit "$unit" "$file" "$(sed -n 's/^ExecStart=//p' "$file" 2>/dev/null | head -n 1)" ;;
  esac
done
for unit in $4; do ! systemctl is-active --quiet "$unit" 2>/dev/null || say rival "$unit"; done
if ! ours kubelet.service; then
  names=$(sh -c "$5" 2>/dev/null)
  [ -z "$names" ] || say used "$(printf '%s\\n' "$names" | head -n 5 | tr '\\n' ' ' | sed 's/ $//')" "$(printf '%s\\n' "$names" | wc -l)"
fi
return 0`,
    args: ({ requirements }) => {
      const daemon = daemonOf(requirements);
      if (!daemon) return null;
      const { packages, others, units, rivals, used } = daemon;
      return [...[packages, others, units, rivals].map((each) => each.join(' ')), used];
    },
  },
  evaluate: ({ requirements }, rows) =>
    rows.flatMap(([kind = '', ...words]) => {
      const found = WORDS[kind]?.(daemonOf(requirements)!, ...words);
      return found ? [{ code: 'RUNTIME_CONFLICT' as const, ...found }] : [];
    }),
});

/** The one of the container runtime. */
const daemonOf = (requirements: readonly { daemon?: RequiredDaemon }[]): RequiredDaemon | undefined =>
  requirements.flatMap(({ daemon }) => daemon ?? [])[0];
