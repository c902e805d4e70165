import type { RequiredCgroups } from '../../requires.ts';
import { type CheckHost, defineCheck, type Problem } from '../check.ts';

const cgroupsOf = ({ requirements }: CheckHost): RequiredCgroups[] =>
  requirements.flatMap(({ cgroups }) => (cgroups ? [cgroups] : []));

export default defineCheck({
  name: 'cgroups',
  about: 'kernel',
  title: 'Control groups',
  inspects:
    '/sys/fs/cgroup/cgroup.controllers, or /proc/cgroups with cgroup v1: the controllers that the phases of the host require are on (those of the kubelet: cpu, cpuset, memory and pids).',
  codes: ['CGROUPS_UNUSABLE'],
  probe: {
    script: `
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  say "$(cat /sys/fs/cgroup/cgroup.controllers)"
else
  say "$(while read -r name _ _ on; do [ "$on" != 1 ] || printf '%s ' "$name"; done </proc/cgroups)"
fi`,
    args: (of) => (cgroupsOf(of).length > 0 ? [] : null),
  },
  evaluate(of, [row]) {
    const problem = (message: string, evidence: string): Problem<'CGROUPS_UNUSABLE'> => ({
      code: 'CGROUPS_UNUSABLE',
      message,
      evidence,
    });
    const required = cgroupsOf(of);
    const controllers = (row?.[0] ?? '').split(' ');
    const missing = [...new Set(required.flatMap((each) => each.controllers))].filter(
      (name) => !controllers.includes(name),
    );
    if (missing.length > 0) {
      return [problem(`cgroup controllers are off: ${missing.join(', ')}`, `on: ${controllers.join(' ')}`)];
    }
    if (of.facts.cgroup === 2) return [];
    return required.flatMap(({ v2 }) =>
      v2
        ? [problem(`the host has cgroup v1, which ${v2.refusedBy} refuses`, `to use it all the same: ${v2.otherwise}`)]
        : [],
    );
  },
});
