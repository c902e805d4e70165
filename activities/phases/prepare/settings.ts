import { requiredSysctls } from '../required.ts';
import type { PhaseRequirements, RequiredSysctl } from '../requires.ts';

/**
 * Sorts after the `99-` of other people's files in systemd-sysctl's order (by name, over all folders), so that a restart
 * of systemd-sysctl or a boot ends with our values. The preflight check `sysctl-files` names what would still win.
 */
export const SYSCTL_FILE = '/etc/sysctl.d/zz-kubewright.conf';
export const EARLIER_SYSCTL_FILE = '/etc/sysctl.d/90-kubewright.conf';

/**
 * The kernel settings of a host by name: what its phases require, with those of the option `sysctls` over them. None where no
 * phase requires any: the option is for hosts that run pods. Throws SPEC_INVALID where phases contradict each other. Pure.
 */
export function settingsOf(
  requirements: readonly PhaseRequirements[],
  chosen: Readonly<Record<string, string>>,
  host: { container: boolean },
): Map<string, RequiredSysctl> {
  const settings = requiredSysctls(requirements, host);
  if (settings.size === 0) return settings;
  for (const [key, value] of Object.entries(chosen)) {
    const { atLeast } = settings.get(key) ?? {};
    settings.set(key, { value, ...(atLeast ? { atLeast } : {}) });
  }
  return settings;
}
