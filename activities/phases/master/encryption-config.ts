import { stringify } from 'yaml';

export const ENCRYPTION_PROVIDERS = ['secretbox', 'aesgcm', 'aescbc'] as const;

/**
 * EncryptionConfiguration of kube-apiserver: Secrets are written with the key, and read with it or, from before it was
 * there, in plain. `key` is base64 of 32 bytes.
 */
export function encryptionConfig(config: {
  provider: (typeof ENCRYPTION_PROVIDERS)[number];
  keyName: string;
  key: string;
}): string {
  return stringify(
    {
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'EncryptionConfiguration',
      resources: [
        {
          resources: ['secrets'],
          providers: [
            { [config.provider]: { keys: [{ name: config.keyName, secret: config.key }] } },
            { identity: {} },
          ],
        },
      ],
    },
    { lineWidth: 0 },
  );
}
