import { stringify } from 'yaml';

/** config.yml of the distribution registry, version 3: mutual TLS, one folder as storage. */
export function registryConfig(config: {
  port: number;
  storageDir: string;
  cert: string;
  key: string;
  clientCa: string;
}): string {
  return stringify({
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: config.storageDir },
      delete: { enabled: true },
      // Half-done uploads of killed clients.
      maintenance: { uploadpurging: { enabled: true, age: '24h', interval: '6h', dryrun: false } },
    },
    http: {
      addr: `:${config.port}`,
      headers: { 'X-Content-Type-Options': ['nosniff'] },
      tls: {
        certificate: config.cert,
        key: config.key,
        clientcas: [config.clientCa],
        clientauth: 'require-and-verify-client-cert',
        minimumtls: 'tls1.2',
      },
    },
    health: { storagedriver: { enabled: true, interval: '30s', threshold: 3 } },
  });
}
