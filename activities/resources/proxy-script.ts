import { PROXY_ENV } from '../host/own-paths.ts';

/**
 * sh: the proxies of `spec.proxy` into the environment of what follows, where prepare wrote them. Sets `kw_proxied`. A file
 * rather than arguments: a login must not be in a list of processes, nor in the journal.
 */
export const USE_PROXY = `kw_proxied=
if [ -r ${PROXY_ENV} ]; then
  set -a
  . ${PROXY_ENV}
  set +a
  kw_proxied=yes
fi`;

/**
 * sh function: what a failed connection has to do with proxies, for its evidence: that it went through that of the spec, or
 * where this host names one that we do not use. Logins in addresses are left out.
 */
export const PROXY_EVIDENCE = `kw_proxy_evidence() {
  if [ -r ${PROXY_ENV} ]; then
    echo 'through the proxy of spec.proxy (${PROXY_ENV})'
    return 0
  fi
  kw_named=$(grep -EHins '(^|[^a-z_])((https?|all)_proxy["'"'"']?[ =:]|proxy *= *[^ ]*:)' /etc/environment /etc/profile \\
    /etc/profile.d/*.sh /etc/bash.bashrc /etc/bashrc /root/.profile /root/.bash_profile /root/.bashrc /root/.curlrc \\
    /etc/wgetrc /etc/systemd/system.conf /etc/systemd/system.conf.d/*.conf /etc/ssh/sshd_config \\
    /etc/ssh/sshd_config.d/*.conf </dev/null | grep -Ev '^[^:]*:[0-9]*: *#' | cut -c1-200 | head -n 5 |
    sed -E 's#//[^/@ ]*@#//***@#g') || :
  [ -n "$kw_named" ] || return 0
  echo 'this host names a proxy, which counts for nothing here; spec.proxy is what counts:'
  printf '%s\\n' "$kw_named"
}`;
