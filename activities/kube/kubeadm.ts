import { createHash, X509Certificate } from 'node:crypto';
import { HOST_PATH } from '../host/host-path.ts';
import { BIN_DIR } from './paths.ts';

/** What the phases of engine kubeadm share. */

export const KUBEADM_BINARY = `${BIN_DIR}/kubeadm`;

/** kubeadm finds kubelet, mount, ip and others in it. HOME: client-go keeps a cache there. */
export const KUBEADM_ENV = { PATH: HOST_PATH, HOME: '/root' } as const;

/** Where kubeadm and the kubelet that it starts keep what is the host's own. */
export const KUBELET_FILES = {
  /** Made by kubeadm from the ConfigMap kubelet-config; there since the host was made a node. */
  config: '/var/lib/kubelet/config.yaml',
  flags: '/var/lib/kubelet/kubeadm-flags.env',
  kubeconfig: '/etc/kubernetes/kubelet.conf',
  bootstrapKubeconfig: '/etc/kubernetes/bootstrap-kubelet.conf',
  /** Certificate and key of the kubelet, which renews them. */
  client: '/var/lib/kubelet/pki/kubelet-client-current.pem',
  /** Settings of this host over kubeadm's, by `--config-dir`. */
  dropIns: '/etc/kubernetes/kubelet.conf.d',
} as const;

/** Hash of an authority by which joining hosts know the cluster: `sha256:` and the digest of its public key. Of PEM. */
export function caCertHash(pem: string): string {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

type FlagValues = Readonly<Record<string, string | number | boolean | undefined>>;

/** Flags as v1beta4 lists them; undefined ones are left out, and those in `except`. Pure. */
export const argumentList = (flags: FlagValues, except: ReadonlySet<string> = new Set()): Argument[] =>
  Object.entries(flags).flatMap(([name, value]) =>
    value === undefined || except.has(name) ? [] : [{ name, value: String(value) }],
  );

export interface Argument {
  name: string;
  value: string;
}
