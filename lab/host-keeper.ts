import { hierarchies } from './cgroups.ts';

/** What systemd-nspawn ends with when the host asked for a reboot (EXIT_FORCE_RESTART in systemd's source). */
const REBOOT = 133;

/**
 * Plays the part of the machine's firmware: starts the host, and again whenever it ended for a reboot. Every start gets
 * fresh cgroups (on v2 nothing may enter one that hands controllers down) and no left-over veth (the kernel removes that
 * of the last run a little later). Arguments: veth, cgroup paths, `--`, command.
 */
const KEEPER = `
veth=$1; shift; cgroups=
while [ "$1" != -- ]; do cgroups="$cgroups $1"; shift; done; shift
while :; do
  for own in $cgroups; do
    tries=0
    while [ -d "$own" ] && [ $tries -lt 100 ]; do
      find "$own" -depth -type d -exec rmdir {} \\; 2>/dev/null
      [ ! -d "$own" ] || sleep 0.02
      tries=$((tries + 1))
    done
    mkdir -p "$own" || exit 1
    # A new v1 cpuset is empty, and no process may enter an empty one. The root of v2 has no such files.
    for file in cpuset.cpus cpuset.mems; do
      [ ! -f "\${own%/*}/$file" ] || cat "\${own%/*}/$file" > "$own/$file"
    done
  done
  ip link delete "$veth" 2>/dev/null
  sh -c 'for own in $0; do echo $$ > "$own/cgroup.procs" || exit 1; done; exec "$@"' "$cgroups" "$@"
  [ $? -eq ${REBOOT} ] || exit 0
done
`;

/** The command that keeps a host running in cgroups of the given name, one in every hierarchy. */
export async function keeperArgv(cgroup: string, veth: string, nspawn: readonly string[]): Promise<string[]> {
  const cgroups = (await hierarchies()).map(({ path }) => `${path}/${cgroup}`);
  return ['/bin/sh', '-c', KEEPER, 'kubewright-lab-keeper', veth, ...cgroups, '--', ...nspawn];
}
