/**
 * Sorts after the `99-` of other people's files in systemd-sysctl's order (by name, over all folders), so that a restart
 * of systemd-sysctl or a boot ends with our values. The preflight check `sysctl-files` names what would still win.
 */
export const SYSCTL_FILE = '/etc/sysctl.d/zz-kubewright.conf';
export const EARLIER_SYSCTL_FILE = '/etc/sysctl.d/90-kubewright.conf';

/** Limits of which a host may have more than we need. */
export const LOWER_BOUNDS: readonly string[] = ['fs.inotify.max_user_instances', 'fs.inotify.max_user_watches'];

/**
 * Kernel settings of control planes and workers: those of the network namespace, and, where the kernel is the host's own,
 * those of the kernel. In a container they belong to the owner of the machine.
 */
export function kubeSysctls(container: boolean): Record<string, string> {
  return {
    'net.ipv4.ip_forward': '1',
    // New interfaces (of pods, cni0) take this one; a switched ip_forward sets it, a file of later on may take it back.
    'net.ipv4.conf.default.forwarding': '1',
    // Bridged pod traffic must pass kube-proxy's rules.
    'net.bridge.bridge-nf-call-iptables': '1',
    // Loose: answers may come back through another interface than the overlay's (strict drops them).
    'net.ipv4.conf.all.rp_filter': '2',
    ...(container
      ? {}
      : {
          // kubelet, containerd, and pods that tail logs each hold watches; the default of 128 instances runs out.
          'fs.inotify.max_user_instances': '8192',
          'fs.inotify.max_user_watches': '524288',
          // What the kubelet refuses to start without (protectKernelDefaults; pkg/kubelet/cm, setupKernelTunables).
          'kernel.keys.root_maxbytes': '25000000',
          'kernel.keys.root_maxkeys': '1000000',
          'kernel.panic': '10',
          'kernel.panic_on_oops': '1',
          'vm.overcommit_memory': '1',
          'vm.panic_on_oom': '0',
        }),
  };
}
