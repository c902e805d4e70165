import { kubeChoices } from '../../../kube/choices.ts';
import { runsPods } from '../../placement.ts';
import { defineCheck, type Problem } from '../check.ts';

export default defineCheck({
  name: 'cgroups',
  about: 'kernel',
  title: 'Control groups',
  inspects:
    '/sys/fs/cgroup/cgroup.controllers, or /proc/cgroups with cgroup v1, on control planes and workers: cpu, cpuset, memory and pids must be on.',
  codes: ['CGROUPS_UNUSABLE'],
  probe: {
    script: `
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  say "$(cat /sys/fs/cgroup/cgroup.controllers)"
else
  say "$(while read -r name _ _ on; do [ "$on" != 1 ] || printf '%s ' "$name"; done </proc/cgroups)"
fi`,
    args: ({ host }) => (runsPods(host) ? [] : null),
  },
  evaluate({ cluster, host, facts }, [row]) {
    const problem = (message: string, evidence: string): Problem<'CGROUPS_UNUSABLE'> => ({
      code: 'CGROUPS_UNUSABLE',
      message,
      evidence,
    });
    const controllers = (row?.[0] ?? '').split(' ');
    const missing = ['cpu', 'cpuset', 'memory', 'pids'].filter((name) => !controllers.includes(name));
    if (missing.length > 0) {
      return [problem(`cgroup controllers are off: ${missing.join(', ')}`, `on: ${controllers.join(' ')}`)];
    }
    if (facts.cgroup === 2 || kubeChoices(cluster, host).cgroupV1Allowed) return [];
    const wanted = 'spec.phases.nodes.kubelet.config.failCgroupV1: false, cgroupDriver: cgroupfs';
    return [problem('the host has cgroup v1, which the kubelet refuses', `to use it all the same: ${wanted}`)];
  },
});
