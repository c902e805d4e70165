import { stringify } from 'yaml';

/**
 * The kubeconfig of one of our own daemons: certificates by path, so that nothing in it is secret and a renewed
 * certificate changes its own file only.
 */
export function kubeconfigWithFiles(config: {
  cluster: string;
  user: string;
  server: string;
  ca: string;
  cert: string;
  key: string;
}): string {
  const { cluster, user, server } = config;
  return stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: cluster, cluster: { server, 'certificate-authority': config.ca } }],
      users: [{ name: user, user: { 'client-certificate': config.cert, 'client-key': config.key } }],
      contexts: [{ name: 'default', context: { cluster, user } }],
      'current-context': 'default',
    },
    { lineWidth: 0 },
  );
}
