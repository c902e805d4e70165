/**
 * What a host is, as text: one line per thing, to compare before and after. Left out, because no installer can help it or
 * because it has no owner: logs and their rotation, caches and lists of the package manager (what is installed is compared
 * by name and version; the history of dnf and the database of rpm, which each transaction of theirs writes, are their records of it), settings of a
 * kernel that lab hosts share, the backups that passwd and shadow keep of themselves, systemd's own state, and pids and sockets under /run.
 */
export const HOST_SNAPSHOT = `export LC_ALL=C
files() {
  find "$@" -xdev \\( -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/dnf -o -path /var/lib/rpm -o -path /var/lib/systemd -o -path /var/lib/ucf \\) -prune -o \\
    ! -name '*-' ! -path /etc/ld.so.cache ! -path /etc/.pwd.lock ! -path '*/.ssh/*' ! -path /root/.kube ! -path '/root/.kube/*' -print0 2>/dev/null
}
files /etc /usr/local /usr/libexec /opt /var/lib /root /home /srv | xargs -0 stat -c 'path %F %n %a %U:%G' | sort
files /etc /usr/local /usr/libexec /opt /var/lib /root /home /srv | xargs -0 sh -c 'for f; do if [ -L "$f" ]; then echo "link $f $(readlink "$f")"; elif [ -f "$f" ]; then echo "sum $f $(sha256sum <"$f")"; fi; done' sh | sort
find /var/log -mindepth 1 -maxdepth 1 -type d ! -name journal ! -name apt -printf 'log %p\\n' | sort
find /run -xdev -mindepth 1 -maxdepth 1 ! -name '*.pid' ! -name adduser ! -name utmp ! -name 'motd*' -printf 'run %f\\n' | sort
find /tmp /var/tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-private-*' -printf 'tmp %p\\n' | sort
dpkg-query -W -f 'package \${db:Status-Abbrev} \${Package} \${Version}\\n' | sort
systemctl list-unit-files --no-legend --no-pager | awk '$2 != "transient" {print "unit-file", $1, $2}' | sort
systemctl list-units --all --no-legend --no-pager --plain --type=service,timer,socket,slice,mount |
  awk '{print $1}' | grep -Ev '^(user|session|run-|systemd-|apt-|dpkg-|e2scrub|fstrim|man-db|logrotate|proc-|sys-|dev-|tmp)|@' | sed 's/^/unit /' | sort
ip -o link | awk '{print "link", $2}' | sed 's/@.*//' | sort
ip route | sed 's/^/route /' | sort
ip -6 route | grep -v '^fe80' | sed 's/ pref .*//; s/^/route6 /' | sort
if command -v nft >/dev/null; then nft -s list ruleset | sed 's/^/nft /'; fi
awk '{print "mount", $5, $(NF-2)}' /proc/self/mountinfo | grep -Ev ' /run/(user|credentials)/| /proc/sys/fs/binfmt_misc' | sort
find /sys/fs/cgroup -maxdepth 2 -name 'kubepods*' -printf 'cgroup %p\\n'
for s in net.ipv4.ip_forward net.ipv4.conf.all.rp_filter net.ipv4.conf.all.route_localnet net.bridge.bridge-nf-call-iptables; do
  echo "sysctl $s $(sysctl -n "$s" 2>/dev/null)"
done
echo "hostname $(uname -n)"
sed 's/^/user /' /etc/passwd | sort
`;

/** What differs between two snapshots, line by line: `- before`, `+ after`. */
export function differences(before: string, after: string): string[] {
  const [was, is] = [new Set(before.split('\n')), new Set(after.split('\n'))];
  return [
    ...[...was].filter((line) => !is.has(line)).map((line) => `- ${line}`),
    ...[...is].filter((line) => !was.has(line)).map((line) => `+ ${line}`),
  ];
}
