import type { SecretText } from '../resources/resource.ts';

/** Certificate authorities of a cluster; each has its own key, so that no CA's certificates open another's door. */
export const AUTHORITIES = ['kubernetes', 'etcd', 'front-proxy', 'registry'] as const;
export type Authority = (typeof AUTHORITIES)[number];

export interface LeafRequest {
  authority: Authority;
  /** Unique within the cluster, e.g. `etcd-peer/cp-1`: the same name with the same subject returns the stored leaf. */
  name: string;
  commonName: string;
  /** Kubernetes groups. */
  organizations?: readonly string[] | undefined;
  dnsNames?: readonly string[] | undefined;
  ipAddresses?: readonly string[] | undefined;
  usages: readonly ('server' | 'client')[];
}

/** PEM texts; the key is PKCS#8. */
export interface Leaf {
  ca: string;
  cert: string;
  key: SecretText;
}

/**
 * Certificates of one cluster, kept encrypted in the store. A leaf is re-issued when its request changed, its CA
 * changed, or less than a fifth of its life is left; otherwise the stored one is returned, so a second build changes nothing.
 */
export interface Pki {
  /** PEM of the CA certificate. */
  ca(authority: Authority): Promise<string>;
  /** The same of a CA that is kept already; null when there is none, and none is made. */
  storedCa(authority: Authority): Promise<string | null>;
  /** PEM of the CA key: only for the control-plane hosts that sign (kube-controller-manager). */
  caKey(authority: Authority): Promise<SecretText>;
  leaf(request: LeafRequest): Promise<Leaf>;
  /** An RSA or EC key pair that is not a certificate: service-account signing. PEM. */
  keyPair(name: string): Promise<{ publicKey: string; privateKey: SecretText }>;
  /** A random secret of n bytes, base64; the same on every call: encryption at rest. */
  randomSecret(name: string, bytes: number): Promise<SecretText>;
  /** A kubeconfig of a person: a certificate that is kept nowhere, so asking twice gives two. */
  personalKubeconfig(
    request: LeafRequest,
    server: string,
    lifeMs: number,
  ): Promise<{ text: SecretText; serial: string; expiresAt: string }>;
  /** A kubeconfig for a client leaf: embedded certificates. */
  kubeconfig(request: LeafRequest, server: string): Promise<SecretText>;
}
