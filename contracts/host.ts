import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { absolutePath, address, dnsLabel, labelKey, labelValue, loginName, port } from './primitives.ts';

/** What a host does in the cluster. A host may have several roles. */
export const ROLES = ['control-plane', 'etcd', 'worker', 'load-balancer', 'registry', 'time-server', 'entry'] as const;
export const role = z.enum(ROLES);
export type Role = z.infer<typeof role>;

/**
 * How to log in. Always a reference, never the secret itself: a credential stored through the API, a key file that the
 * worker reads, or an ssh-agent socket.
 */
export const credentialRef = z.union([
  z.strictObject({ name: dnsLabel.describe('Name of a credential that was stored with PUT /credentials/{name}') }),
  z.strictObject({ keyFile: absolutePath.describe('Path of a private key file on the machine of the worker') }),
  z.strictObject({ agent: absolutePath.describe('Path of the socket of an ssh-agent on the machine of the worker') }),
]);
export type CredentialRef = z.infer<typeof credentialRef>;

/** A host key as in known_hosts: `ssh-ed25519 AAAA...`, or its fingerprint `SHA256:...`. */
export const hostKey = z
  .string()
  .max(1200)
  .regex(
    /^(SHA256:[A-Za-z0-9+/]{43}=?|(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,2})$/,
    'must be "<type> <base64>" as in known_hosts, or "SHA256:<fingerprint>"',
  );

/** Seconds that one login may take, from the greeting to the first command: slow PAM modules, reverse DNS, busy machines. */
const loginTimeoutSeconds = z.int().min(1).max(300);

/** A bastion that connections to the host go through. */
export const jumpHost = z.strictObject({
  address,
  port: port.default(22),
  user: loginName.default('root'),
  credential: credentialRef,
  hostKey: hostKey.optional(),
  loginTimeoutSeconds: loginTimeoutSeconds.optional(),
});

/** SSH settings; those of a host override those of `spec.ssh`. */
export const sshSettings = z.strictObject({
  port: port.optional(),
  user: loginName.optional(),
  credential: credentialRef.optional(),
  hostKey: hostKey.optional(),
  jump: jumpHost.optional(),
  loginTimeoutSeconds: loginTimeoutSeconds
    .optional()
    .describe(
      'Timeout of one login in seconds, with reverse DNS and PAM; default 30, of which at most 15 until the SSH greeting',
    ),
});

export const taint = z.strictObject({
  key: labelKey,
  value: labelValue.default(''),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
});

/** One Linux machine of the cluster. */
export const host = z.strictObject({
  name: dnsLabel,
  address: address.describe('IPv4 address or DNS name for SSH'),
  internalAddress: address.optional().describe('Address that the other hosts use; default: `address`'),
  roles: z.array(role).min(1).max(ROLES.length),
  ssh: sshSettings.optional(),
  labels: z
    .record(labelKey, labelValue)
    .refine((labels) => Object.keys(labels).length <= LIMITS.labelsPerHost, `at most ${LIMITS.labelsPerHost} labels`)
    .default({}),
  taints: z.array(taint).max(LIMITS.taintsPerHost).default([]),
  phases: z
    .record(dnsLabel, z.record(z.string().max(64), z.unknown()))
    .default({})
    .describe('Phase options of this host, merged over spec.phases'),
});
export type Host = z.infer<typeof host>;

/** Everything needed to open a connection, defaults applied; still only references to secrets. */
export interface SshTarget {
  /** Host name in the cluster, for messages. */
  name: string;
  address: string;
  port: number;
  user: string;
  credential: CredentialRef;
  hostKey?: string | undefined;
  jump?: Omit<SshTarget, 'name' | 'jump'> | undefined;
  /** For one login; absent: the defaults of the pool. */
  loginTimeoutSeconds?: number | undefined;
}
