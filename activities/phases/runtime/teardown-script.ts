/**
 * What containerd and the kubelet leave running when they stop: the pods. Only processes of containerd's namespace k8s.io
 * and of the cgroups of pods; then the network namespaces that the CRI made for them.
 */
export const PODS_TEARDOWN = `KW_KEY=pods
kw_shims() {
  for kw_p in $(grep -la containerd-shim /proc/[0-9]*/cmdline 2>/dev/null); do
    case $(readlink "\${kw_p%/cmdline}/exe") in */containerd-shim*) ;; *) continue ;; esac
    if tr '\\0' '\\n' <"$kw_p" 2>/dev/null | grep -qx k8s.io; then
      kw_p=\${kw_p#/proc/}
      echo "\${kw_p%/cmdline}"
    fi
  done
}
kw_cgroups() { find /sys/fs/cgroup -maxdepth 2 -type d \\( -name kubepods -o -name kubepods.slice \\) 2>/dev/null; }
kw_in_cgroups() {
  kw_cgroups | while IFS= read -r kw_d; do find "$kw_d" -name cgroup.procs -exec cat {} + 2>/dev/null; done | grep -vx 0 | sort -u
}
kw_found=$(kw_shims)
[ -z "$kw_found" ] || kw_tell removed "$(printf '%s\\n' "$kw_found" | wc -l) pods that ran"
kw_tries=0
while kw_pids="$(kw_shims) $(kw_in_cgroups)" && [ -n "$(printf '%s' "$kw_pids" | tr -d ' \\n')" ]; do
  kill -KILL $kw_pids 2>/dev/null
  kw_tries=$((kw_tries + 1))
  [ "$kw_tries" -lt 100 ] || { echo "processes of pods do not end: $kw_pids" >&2; exit 1; }
  sleep 0.1
done
systemctl stop kubepods.slice 2>/dev/null
kw_cgroups | while IFS= read -r kw_d; do find "$kw_d" -depth -type d -exec rmdir -- {} \\; 2>/dev/null; done
kw_cut=0
for kw_ns in /run/netns/cni-????????-????-????-????-????????????; do
  [ -e "$kw_ns" ] || continue
  while umount -- "$kw_ns" 2>/dev/null; do :; done
  rm -f -- "$kw_ns" || exit 1
  kw_cut=$((kw_cut + 1))
done
rmdir /run/netns 2>/dev/null
[ "$kw_cut" = 0 ] || kw_tell removed "$kw_cut network namespaces"
`;
