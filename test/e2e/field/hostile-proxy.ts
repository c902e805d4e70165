/** An address without a host (RFC 5737). */
const DEAD = 'http://192.0.2.1:3128';
const VARIABLES = ['http_proxy', 'https_proxy', 'all_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'];
const LINES = VARIABLES.map((name) => `${name}=${DEAD}`);
const UNITS = ['containerd', 'kubelet', 'kube-apiserver', 'etcd', 'registry', 'flanneld', 'kube-proxy'];

/** sh that names a dead proxy in every place of a host by which commands, clients and units may learn of one. */
export const HOSTILE = `
cp -a /etc/environment /etc/environment.before 2>/dev/null || : >/etc/environment.before
printf '%s\\n' ${LINES.join(' ')} >>/etc/environment
printf 'export %s\\n' ${LINES.join(' ')} >/etc/profile.d/theirs.sh
cp -a /root/.bashrc /root/.bashrc.before 2>/dev/null || : >/root/.bashrc.before
{ printf 'export %s\\n' ${LINES.join(' ')}; cat /root/.bashrc.before; } >/root/.bashrc
echo 'proxy = ${DEAD}' >/root/.curlrc
printf 'use_proxy = on\\nhttp_proxy = ${DEAD}\\nhttps_proxy = ${DEAD}\\n' >/root/.wgetrc
mkdir -p /etc/systemd/system.conf.d
printf '[Manager]\\nDefaultEnvironment=${LINES.join(' ')}\\n' >/etc/systemd/system.conf.d/theirs.conf
for unit in ${UNITS.join(' ')}; do
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\\nEnvironment=${LINES.join(' ')}\\n' >/etc/systemd/system/$unit.service.d/http-proxy.conf
done
mkdir -p /etc/ssh/sshd_config.d
printf 'SetEnv ${LINES.join(' ')}\\nAcceptEnv *_proxy *_PROXY\\n' >/etc/ssh/sshd_config.d/00-theirs.conf
systemctl daemon-reexec
systemctl reload ssh
`;

/** Puts all of it back. */
export const NOT_HOSTILE = `
mv /etc/environment.before /etc/environment
mv /root/.bashrc.before /root/.bashrc
rm -f /etc/profile.d/theirs.sh /root/.curlrc /root/.wgetrc /etc/systemd/system.conf.d/theirs.conf
for unit in ${UNITS.join(' ')}; do
  rm -f /etc/systemd/system/$unit.service.d/http-proxy.conf
  rmdir /etc/systemd/system/$unit.service.d 2>/dev/null || :
done
rm -f /etc/ssh/sshd_config.d/00-theirs.conf
systemctl daemon-reexec
systemctl reload ssh
`;
