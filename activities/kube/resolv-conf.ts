import { file } from '../resources/file.ts';
import type { Resource } from '../resources/resource.ts';
import { LIB_DIR } from './lib.ts';
import { NODE_FILES } from './node-files.ts';

/**
 * Files with a host's name servers, the first choice first. What is in front may name a server on loopback, where no pod
 * reaches it; the real servers are then in the file of systemd-resolved, of NetworkManager's dnsmasq, or of resolvconf.
 */
export const RESOLV_CONFS = [
  '/etc/resolv.conf',
  '/run/systemd/resolve/resolv.conf',
  '/run/NetworkManager/no-stub-resolv.conf',
  '/run/dnsmasq/resolv.conf',
] as const;

/**
 * sh that sets `chosen` to the file of them that pods can use: with a name server, and none on loopback. Where there is
 * none, `chosen` is the first that can be read, and empty when that is none.
 */
export const CHOOSE_RESOLV_CONF = `chosen=
for each in ${RESOLV_CONFS.join(' ')}; do
  [ -r "$each" ] || continue
  [ -n "$chosen" ] || chosen=$each
  grep -Eq '^[[:space:]]*nameserver[[:space:]]' "$each" || continue
  if ! grep -Eqi '^[[:space:]]*nameserver[[:space:]]+(127[.]|0[.]0[.]0[.]0|::1|::ffff:127|localhost)' "$each"; then
    chosen=$each
    break
  fi
done`;

const SCRIPT = `${LIB_DIR}/choose-resolv-conf`;

/** What the kubelet's unit runs before it starts: the file with the name servers for pods, as a link. */
export const chooseResolvConf = (): { path: string; resource: Resource } => ({
  path: SCRIPT,
  resource: file(
    SCRIPT,
    `#!/bin/sh
# Written by Kubewright. The kubelet reads the name servers for pods from ${NODE_FILES.resolvConf}.
${CHOOSE_RESOLV_CONF}
mkdir -p ${NODE_FILES.resolvConf.slice(0, NODE_FILES.resolvConf.lastIndexOf('/'))}
# No pod starts without such a file; an empty one will do where cluster DNS has name servers of its own.
ln -sfn "\${chosen:-/dev/null}" ${NODE_FILES.resolvConf}
`,
    { mode: 0o755 },
  ),
});
