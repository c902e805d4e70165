import { stringify } from 'yaml';

/** A kubeconfig of one user in one cluster, certificates embedded. YAML. */
export function kubeconfigYaml(options: {
  cluster: string;
  user: string;
  server: string;
  ca: string;
  cert: string;
  key: string;
}): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const { cluster, user, server } = options;
  const context = `${user}@${cluster}`;
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: cluster, cluster: { server, 'certificate-authority-data': base64(options.ca) } }],
      users: [
        {
          name: user,
          user: { 'client-certificate-data': base64(options.cert), 'client-key-data': base64(options.key) },
        },
      ],
      contexts: [{ name: context, context: { cluster, user } }],
      'current-context': context,
    },
    { lineWidth: 0 },
  );
}
