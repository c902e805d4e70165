import { z } from 'zod';
import { address, cidr } from './primitives.ts';

/** A private key is at most a few KiB. */
const KEY_CHARS = 32 * 1024;
/** A chain, or a bundle of private authorities: a certificate has about 2 KiB. Below the bound of one text. */
const CERTIFICATES_CHARS = 48 * 1024;

/** The name of a cluster, or the beginning of names and `*`; `*` alone is every cluster. */
export const clusterPattern = z
  .string()
  .max(41)
  .regex(
    /^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?|[a-z0-9][-a-z0-9]*\*)$/,
    'must be the name of a cluster, or such as team-*',
  );

const scopeShape = {
  clusters: z
    .array(clusterPattern)
    .min(1)
    .max(100)
    .optional()
    .describe(
      'Clusters that may use the credential, as names or prefixes (team-*). Absent: only specs that an admin of all clusters sends may use it',
    ),
  addresses: z
    .array(z.union([cidr, address]))
    .min(1)
    .max(100)
    .optional()
    .describe(
      'Addresses that the credential may be sent to: host names as in the spec, IPv4 addresses, networks. Absent: any',
    ),
};

/** Which clusters may use a credential, and at which addresses. */
export const credentialScope = z.strictObject(scopeShape);
export type CredentialScope = z.infer<typeof credentialScope>;

/** What PUT /credentials/{name} takes: how to log in to hosts, to a proxy or to a registry, or a client certificate for a server of others, and where. Stored encrypted; the secret is never given back. */
export const credentialValue = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('key'),
    privateKey: z
      .string()
      .min(1)
      .max(KEY_CHARS)
      .describe('RSA, ECDSA or Ed25519 key in PEM: PKCS#8, PKCS#1, SEC1 or OpenSSH format, encrypted or not'),
    passphrase: z.string().min(1).max(1024).optional().describe('Passphrase of an encrypted key'),
    password: z
      .string()
      .min(1)
      .max(1024)
      .optional()
      .describe('Password of the login user: for sudo, and for an sshd that asks for a password after the key'),
    ...scopeShape,
  }),
  z.strictObject({
    kind: z.literal('password'),
    password: z.string().min(1).max(1024).describe('Password of the login user; sudo gets it too, on standard input'),
    ...scopeShape,
  }),
  // A kind of its own: proxies get it in clear text, so no login of a machine may be sent to one.
  z.strictObject({
    kind: z.literal('proxy'),
    user: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[^:\p{Cc}]+$/u, 'must have no colon and no control characters'),
    password: z.string().min(1).max(1024),
    ...scopeShape,
  }),
  // A kind of its own, too: registries get it, so no login of a machine may be sent to one.
  z.strictObject({
    kind: z.literal('registry-login'),
    user: z
      .string()
      .min(1)
      .max(256)
      .regex(/^[^:\p{Cc}]+$/u, 'must have no colon and no control characters'),
    password: z
      .string()
      .min(1)
      // Tokens of cloud registries have up to some 3 KiB.
      .max(8192)
      .regex(/^\P{Cc}+$/u, 'must have no control characters')
      .describe('Password, or an access token: the registry says which user goes with it'),
    ...scopeShape,
  }),
  z.strictObject({
    kind: z.literal('client-certificate'),
    certificate: z
      .string()
      .min(1)
      .max(CERTIFICATES_CHARS)
      .describe('Certificate of the client in PEM, with clientAuth; intermediate certificates after it'),
    privateKey: z
      .string()
      .min(1)
      .max(KEY_CHARS)
      .describe('Private key of the certificate in PEM, not encrypted: PKCS#8, PKCS#1 or SEC1; RSA, ECDSA or Ed25519'),
    ca: z
      .string()
      .min(1)
      .max(CERTIFICATES_CHARS)
      .describe('Certificates in PEM of the authorities by which the certificate of the server is checked'),
    ...scopeShape,
  }),
]);
export type CredentialValue = z.infer<typeof credentialValue>;
