import { printableLine } from '../../contracts/printable.ts';
import { FAMILIES } from './family/families.ts';
import type { HostFacts, HostNetwork, RemoteHost } from './types.ts';

/** Reading the facts takes milliseconds; a host that needs this long has other troubles. ms. */
const FACTS_MS = 30_000;

/** Prints `key=value` lines, one fact each, and never fails: what cannot be read stays empty. Builtins where possible. */
const SCRIPT = `
set +eu
first() { v=; IFS= read -r v <"$1"; } 2>/dev/null
first /proc/sys/kernel/hostname; echo "hostname=$v"
first /etc/machine-id; echo "machineId=$v"
first /proc/sys/kernel/random/boot_id; echo "bootId=$v"
echo "arch=$(uname -m)"
first /proc/sys/kernel/osrelease; echo "kernel=$v"
os=/etc/os-release
[ -r $os ] || os=/usr/lib/os-release
while IFS= read -r v; do
  case $v in ID=* | ID_LIKE=* | VERSION_ID=* | PRETTY_NAME=*) echo "os.$v" ;; esac
done <$os
for v in ${FAMILIES.map(({ packageTool }) => packageTool.program).join(' ')}; do command -v $v >/dev/null && { echo "packages=$v"; break; }
done
first /proc/1/comm; echo "init=$v"
[ -d /run/systemd/system ] && echo init=systemd
[ -e /sys/fs/cgroup/cgroup.controllers ] && echo cgroup=2
echo "cpus=$(getconf _NPROCESSORS_ONLN)"
while read -r k v u; do [ "$k" = MemTotal: ] && { echo "memoryKiB=$v"; break; }
done </proc/meminfo
[ -r /sys/fs/selinux/enforce ] && first /sys/fs/selinux/enforce && echo "selinux=$v"
command -v systemd-detect-virt >/dev/null && echo "virt=$(systemd-detect-virt)"
command -v ip >/dev/null && ip -o -4 addr show scope global | while read -r k v u m k; do
  case $u in inet) echo "network=$v $m" ;; esac
done
exit 0
`;

/** Machine names of the kernel as Kubernetes and Go name them. */
const ARCHES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

/** Reads what a host is, in one read-only round trip that needs no root. An unknown system is described, not refused. */
export async function readFacts(host: RemoteHost): Promise<HostFacts> {
  const { stdout } = await host.script(SCRIPT, [], { sudo: false, timeoutMs: FACTS_MS });
  return parseFacts(stdout);
}

/** Facts out of the script's output. Missing lines leave empty strings, zero, 'none' and cgroup 1. */
export function parseFacts(output: string): HostFacts {
  const found = new Map<string, string>();
  for (const line of output.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) found.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  const text = (key: string) => printableLine(found.get(key) ?? '').slice(0, 256);
  const number = (key: string) => {
    const value = Number.parseInt(text(key), 10);
    return Number.isFinite(value) && value > 0 ? value : 0;
  };
  const os = (key: string) => unquote(text(`os.${key}`));
  const packages = text('packages');
  return {
    hostname: text('hostname'),
    machineId: text('machineId'),
    bootId: text('bootId'),
    arch: ARCHES[text('arch')] ?? text('arch'),
    kernel: text('kernel'),
    os: {
      id: os('ID'),
      idLike: os('ID_LIKE').split(/\s+/).filter(Boolean),
      versionId: os('VERSION_ID'),
      name: os('PRETTY_NAME'),
    },
    packageManager: FAMILIES.find(({ packageTool }) => packageTool.program === packages)?.packageTool.name ?? 'none',
    initSystem: text('init'),
    cgroup: text('cgroup') === '2' ? 2 : 1,
    cpus: number('cpus'),
    memoryMiB: Math.floor(number('memoryKiB') / 1024),
    virtualization: text('virt'),
    ...(text('selinux') === '' ? {} : { selinux: text('selinux') === '1' ? 'enforcing' : 'permissive' }),
    ...networksIn(output),
  };
}

/** Of a host with more addresses (of pods, say) only the first ones are read. */
const MAX_NETWORKS = 64;

/** `network=eth0 10.0.0.1/24` per address. */
function networksIn(output: string): { networks?: HostNetwork[] } {
  const found = [...output.matchAll(/^network=([A-Za-z0-9_.@-]{1,15}) (\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/gm)];
  const networks = found
    .slice(0, MAX_NETWORKS)
    .map(([, link = '', address = '', bits = '']) => ({ link, address, bits: Number(bits) }));
  return networks.length > 0 ? { networks } : {};
}

/** os-release values follow shell quoting: bare, single or double quotes with backslashes. */
function unquote(value: string): string {
  const quoted = /^(["'])(.*)\1$/.exec(value);
  if (!quoted) return value;
  const inner = quoted[2] ?? '';
  return quoted[1] === '"' ? inner.replace(/\\(["\\$`])/g, '$1') : inner;
}
