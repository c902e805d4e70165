/** What one member's etcd is to do. */
export interface EtcdMemberConfig {
  name: string;
  /** Address by which clients and peers reach it. */
  address: string;
  /** Name by which its peers reach it, where that is not the address. */
  peerName?: string | null;
  /** The IPv4 address to listen on; 0.0.0.0 where only a name is known. */
  listen: string;
  dataDir: string;
  clientPort: number;
  peerPort: number;
  quotaBytes: number;
  heartbeatMs: number;
  electionMs: number;
  cipherSuites: readonly string[];
  ca: string;
  server: { cert: string; key: string };
  peer: { cert: string; key: string };
}

/** The environment of etcd.service: what a running member follows. */
export function etcdEnvironment(member: EtcdMemberConfig): string {
  const { address, listen, clientPort, peerPort } = member;
  return environment({
    ETCD_NAME: member.name,
    ETCD_DATA_DIR: member.dataDir,
    ETCD_LISTEN_PEER_URLS: `https://${listen}:${peerPort}`,
    ETCD_LISTEN_CLIENT_URLS:
      listen === '0.0.0.0'
        ? `https://0.0.0.0:${clientPort}`
        : `https://${listen}:${clientPort},https://127.0.0.1:${clientPort}`,
    ETCD_INITIAL_ADVERTISE_PEER_URLS: `https://${member.peerName ?? address}:${peerPort}`,
    ETCD_ADVERTISE_CLIENT_URLS: `https://${address}:${clientPort}`,
    ETCD_CLIENT_CERT_AUTH: true,
    ETCD_TRUSTED_CA_FILE: member.ca,
    ETCD_CERT_FILE: member.server.cert,
    ETCD_KEY_FILE: member.server.key,
    ETCD_PEER_CLIENT_CERT_AUTH: true,
    ETCD_PEER_TRUSTED_CA_FILE: member.ca,
    ETCD_PEER_CERT_FILE: member.peer.cert,
    ETCD_PEER_KEY_FILE: member.peer.key,
    ETCD_TLS_MIN_VERSION: 'TLS1.2',
    ETCD_CIPHER_SUITES: member.cipherSuites.join(','),
    ETCD_QUOTA_BACKEND_BYTES: member.quotaBytes,
    ETCD_HEARTBEAT_INTERVAL: member.heartbeatMs,
    ETCD_ELECTION_TIMEOUT: member.electionMs,
    ETCD_LOGGER: 'zap',
    ETCD_LOG_LEVEL: 'info',
  });
}

/**
 * How a member without data begins: `new` as one of the founders, `existing` with the members just as the cluster lists
 * them. `finds`: variables by which it finds the others. In a file of its own: a member with data ignores it.
 */
export function etcdBootstrap(cluster: {
  state: 'new' | 'existing';
  token: string;
  finds: Readonly<Record<string, string>>;
}): string {
  return environment({
    ...cluster.finds,
    ETCD_INITIAL_CLUSTER_TOKEN: cluster.token,
    ETCD_INITIAL_CLUSTER_STATE: cluster.state,
  });
}

/** A file for EnvironmentFile=. Values hold no blanks, quotes or backslashes: names, paths, addresses, numbers. */
function environment(values: Readonly<Record<string, string | number | boolean>>): string {
  const lines = Object.entries(values).map(([key, value]) => {
    if (!/^[A-Za-z0-9_.:,=/@+-]*$/.test(String(value))) throw new Error(`${key} cannot hold ${JSON.stringify(value)}`);
    return `${key}=${value}\n`;
  });
  return `# Written by Kubewright.\n${lines.join('')}`;
}
