/** One item of the CIS Kubernetes benchmark, asked of a host that was built: POSIX sh that succeeds when it holds. */
export interface CisCheck {
  /** Number in the benchmark (v1.12). */
  id: string;
  title: string;
  on: 'control-plane' | 'etcd' | 'node';
  check: string;
}

const items = (on: CisCheck['on'], rows: Record<string, readonly [title: string, check: string]>): CisCheck[] =>
  Object.entries(rows).map(([id, [title, check]]) => ({ id, title, on, check }));

/** Functions of the checks. `args X` prints the command line of process X, one argument per line. */
export const CIS_FUNCTIONS = `
args() { tr '\\0' '\\n' <"/proc/$(pgrep -o -x -f "[^ ]*/$1( .*)?")/cmdline"; }
flag() { args "$1" | grep -Eqx -- "$2"; }
no_flag() { ! args "$1" | grep -Eq -- "^$2"; }
mode() { for f in $2; do [ -e "$f" ] || { echo "no $f"; return 1; }; [ $((0$(stat -c %a "$f") & ~0$1 & 0777)) -eq 0 ] || { stat -c '%a %n' "$f"; return 1; }; done; }
root() { for f in $1; do [ "$(stat -c %U:%G "$f")" = root:root ] || { stat -c '%U:%G %n' "$f"; return 1; }; done; }
kubelet() { grep -Eq -- "$1" /etc/kubernetes/kubelet.yaml; }
etcd_env() { tr '\\0' '\\n' <"/proc/$(pgrep -o -x etcd)/environ" | grep -Eqx "$1"; }
`;

const SECRETS_ENCRYPTED = 'grep -Eq "secretbox|aescbc|aesgcm" /etc/kubernetes/encryption-config.yaml';

export const CIS_CHECKS: readonly CisCheck[] = [
  ...items('control-plane', {
    '1.1.13': ['admin kubeconfig mode', 'mode 600 "/etc/kubewright/*admin.kubeconfig"'],
    '1.1.14': ['admin kubeconfig owner', 'root "/etc/kubewright/*admin.kubeconfig"'],
    '1.1.15': ['scheduler kubeconfig mode', 'mode 600 /etc/kubernetes/scheduler.kubeconfig'],
    '1.1.17': ['controller manager kubeconfig mode', 'mode 600 /etc/kubernetes/controller-manager.kubeconfig'],
    '1.1.18': ['kubeconfigs owner', 'root "/etc/kubernetes/*.kubeconfig"'],
    '1.1.19': ['PKI owner', 'root "/etc/kubernetes/pki /etc/kubernetes/pki/*"'],
    '1.1.20': ['certificates mode', 'mode 644 "/etc/kubernetes/pki/*.crt"'],
    '1.1.21': ['keys mode', 'mode 600 "/etc/kubernetes/pki/*.key"'],
    '1.2.1': ['no anonymous access', 'flag kube-apiserver "--anonymous-auth=false"'],
    '1.2.2': ['no token file', 'no_flag kube-apiserver --token-auth-file'],
    '1.2.3': ['DenyServiceExternalIPs', 'flag kube-apiserver "--enable-admission-plugins=.*DenyServiceExternalIPs.*"'],
    '1.2.4': ['kubelets by certificate', 'flag kube-apiserver "--kubelet-client-certificate=.+"'],
    '1.2.5': ['kubelets verified', 'flag kube-apiserver "--kubelet-certificate-authority=.+"'],
    '1.2.6': ['not AlwaysAllow', 'flag kube-apiserver "--authorization-mode=Node,RBAC"'],
    '1.2.9': ['EventRateLimit', 'flag kube-apiserver "--enable-admission-plugins=.*EventRateLimit.*"'],
    '1.2.10': ['not AlwaysAdmit', '! flag kube-apiserver "--enable-admission-plugins=.*AlwaysAdmit.*"'],
    '1.2.12': ['ServiceAccount not off', 'no_flag kube-apiserver --disable-admission-plugins'],
    '1.2.14': ['NodeRestriction', 'flag kube-apiserver "--enable-admission-plugins=.*NodeRestriction.*"'],
    '1.2.15': ['no profiling', 'flag kube-apiserver --profiling=false'],
    '1.2.16': ['audit log', 'flag kube-apiserver "--audit-log-path=/.+" && test -s /var/log/kubernetes/audit.log'],
    '1.2.17': ['audit log age', 'flag kube-apiserver "--audit-log-maxage=([3-9][0-9]|[0-9]{3,})"'],
    '1.2.18': ['audit log backups', 'flag kube-apiserver "--audit-log-maxbackup=[0-9]{2,}"'],
    '1.2.19': ['audit log size', 'flag kube-apiserver "--audit-log-maxsize=[0-9]{3,}"'],
    '1.2.21': ['service accounts looked up', 'flag kube-apiserver --service-account-lookup=true'],
    '1.2.22': ['service account key', 'flag kube-apiserver "--service-account-key-file=.+"'],
    '1.2.23': [
      'etcd by certificate',
      'flag kube-apiserver "--etcd-certfile=.+" && flag kube-apiserver "--etcd-keyfile=.+"',
    ],
    '1.2.24': ['TLS', 'flag kube-apiserver "--tls-cert-file=.+" && flag kube-apiserver "--tls-private-key-file=.+"'],
    '1.2.25': ['client CA', 'flag kube-apiserver "--client-ca-file=.+"'],
    '1.2.26': ['etcd CA', 'flag kube-apiserver "--etcd-cafile=.+"'],
    '1.2.27': ['encryption at rest', 'flag kube-apiserver "--encryption-provider-config=.+"'],
    '1.2.28': ['its provider', SECRETS_ENCRYPTED],
    '1.2.29': [
      'ciphers',
      'flag kube-apiserver "--tls-cipher-suites=(TLS_ECDHE_[A-Z0-9_]+(GCM|POLY1305)_SHA(256|384),?)+"',
    ],
    '1.2.30': ['short-lived pod tokens', 'flag kube-apiserver --service-account-extend-token-expiration=false'],
    '1.3.1': ['garbage collection of pods', 'flag kube-controller-manager "--terminated-pod-gc-threshold=[0-9]+"'],
    '1.3.2': ['no profiling', 'flag kube-controller-manager --profiling=false'],
    '1.3.3': ['an account per controller', 'flag kube-controller-manager --use-service-account-credentials=true'],
    '1.3.4': ['service account key', 'flag kube-controller-manager "--service-account-private-key-file=.+"'],
    '1.3.5': ['root CA', 'flag kube-controller-manager "--root-ca-file=.+"'],
    '1.3.7': ['loopback', 'flag kube-controller-manager --bind-address=127.0.0.1'],
    '1.4.1': ['no profiling', 'flag kube-scheduler --profiling=false'],
    '1.4.2': ['loopback', 'flag kube-scheduler --bind-address=127.0.0.1'],
    '3.2.1': [
      'audit policy',
      'flag kube-apiserver "--audit-policy-file=.+" && mode 600 /etc/kubernetes/audit-policy.yaml',
    ],
    '5.2.1': ['pod security by default', 'grep -Eq "enforce: (baseline|restricted)" /etc/kubernetes/admission.yaml'],
  }),
  ...items('etcd', {
    '1.1.11': [
      'etcd data mode',
      'mode 700 "$(tr "\\\\0" "\\\\n" </proc/$(pgrep -o -x etcd)/environ | sed -n s/^ETCD_DATA_DIR=//p)"',
    ],
    '1.1.12': [
      'etcd data owner',
      '[ "$(stat -c %U:%G "$(tr "\\\\0" "\\\\n" </proc/$(pgrep -o -x etcd)/environ | sed -n s/^ETCD_DATA_DIR=//p)")" = etcd:etcd ]',
    ],
    '2.1': ['TLS', 'etcd_env "ETCD_CERT_FILE=.+" && etcd_env "ETCD_KEY_FILE=.+"'],
    '2.2': ['client certificates', 'etcd_env ETCD_CLIENT_CERT_AUTH=true'],
    '2.3': ['no self-signed', '! etcd_env ETCD_AUTO_TLS=true'],
    '2.4': ['peer TLS', 'etcd_env "ETCD_PEER_CERT_FILE=.+" && etcd_env "ETCD_PEER_KEY_FILE=.+"'],
    '2.5': ['peer certificates', 'etcd_env ETCD_PEER_CLIENT_CERT_AUTH=true'],
    '2.6': ['no self-signed peers', '! etcd_env ETCD_PEER_AUTO_TLS=true'],
    '2.7': [
      'a CA of its own',
      '[ ! -e /etc/kubernetes/pki/ca.crt ] || ! cmp -s /etc/etcd/pki/ca.crt /etc/kubernetes/pki/ca.crt',
    ],
  }),
  ...items('node', {
    '1.1.9': ['CNI configuration mode', 'mode 600 "/etc/cni/net.d/*.conflist"'],
    '1.1.10': ['CNI configuration owner', 'root "/etc/cni/net.d/*.conflist"'],
    '4.1.1': ['kubelet unit mode', 'mode 600 /etc/systemd/system/kubelet.service'],
    '4.1.2': ['kubelet unit owner', 'root /etc/systemd/system/kubelet.service'],
    '4.1.3': [
      'proxy kubeconfig',
      'mode 600 /etc/kubernetes/kube-proxy.kubeconfig && root /etc/kubernetes/kube-proxy.kubeconfig',
    ],
    '4.1.5': [
      'kubelet kubeconfig',
      'mode 600 /etc/kubernetes/kubelet.kubeconfig && root /etc/kubernetes/kubelet.kubeconfig',
    ],
    '4.1.7': ['client CA', 'mode 644 /etc/kubernetes/pki/ca.crt && root /etc/kubernetes/pki/ca.crt'],
    '4.1.9': ['kubelet configuration', 'mode 600 /etc/kubernetes/kubelet.yaml && root /etc/kubernetes/kubelet.yaml'],
    '4.2.1': ['no anonymous access', '! curl -sk -m 5 -o /dev/null -f https://127.0.0.1:10250/pods'],
    '4.2.2': ['authorization', 'kubelet "mode: Webhook"'],
    '4.2.3': ['client CA', 'kubelet "clientCAFile: /"'],
    '4.2.4': ['no read-only port', 'kubelet "readOnlyPort: 0"'],
    '4.2.5': ['idle streams end', 'kubelet "streamingConnectionIdleTimeout: [1-9]"'],
    '4.2.6': ['iptables chains', 'kubelet "makeIPTablesUtilChains: true"'],
    '4.2.8': ['events bounded', 'kubelet "eventRecordQPS: [1-9]"'],
    '4.2.9': ['TLS', 'kubelet "tlsCertFile: /" && kubelet "tlsPrivateKeyFile: /"'],
    '4.2.12': ['ciphers', '! kubelet "TLS_RSA|CBC|RC4|3DES" && kubelet "TLS_ECDHE"'],
    '4.2.13': ['processes per pod', 'kubelet "podPidsLimit: [1-9]"'],
    '4.2.14': ['seccomp by default', 'kubelet "seccompDefault: true"'],
    '4.3.1': ['proxy metrics on loopback', 'grep -q "metricsBindAddress: 127.0.0.1" /etc/kubernetes/kube-proxy.yaml'],
    'ca-key': [
      "the cluster CA's key is on control planes only",
      'pgrep -x kube-apiserver >/dev/null || [ ! -e /etc/kubernetes/pki/ca.key ]',
    ],
  }),
];

/** A script that prints `FAIL <id> <title>` for what does not hold among the items of these places. */
export function cisScript(places: readonly CisCheck['on'][]): string {
  const lines = CIS_CHECKS.filter(({ on }) => places.includes(on)).map(
    ({ id, title, check }) =>
      `( ${check} ) >/tmp/cis.out 2>&1 || echo "FAIL ${id} ${title}: $(tail -c 200 /tmp/cis.out)"`,
  );
  return `${CIS_FUNCTIONS}\n${lines.join('\n')}\nrm -f /tmp/cis.out\necho done ${lines.length}\n`;
}
