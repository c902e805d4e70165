import { z } from 'zod';

/** A private key is at most a few KiB. */
const KEY_CHARS = 32 * 1024;

/** What PUT /credentials/{name} takes: how to log in. Stored encrypted and never given back. */
export const credentialValue = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('key'),
    privateKey: z
      .string()
      .max(KEY_CHARS)
      .regex(/^\s*-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----/, 'must be a private key in PEM or OpenSSH format'),
    passphrase: z.string().min(1).max(1024).optional(),
  }),
  z.strictObject({
    kind: z.literal('password'),
    password: z.string().min(1).max(1024).describe('Also given to sudo, on its standard input'),
  }),
]);
export type CredentialValue = z.infer<typeof credentialValue>;
