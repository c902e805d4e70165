import type { ClusterSpec } from '../contracts/cluster.ts';

/** Called with one line of text for every step worth showing. */
export type Progress = (message: string) => void;

/** One standing host of a lab. */
export interface LabHost {
  name: string;
  address: string;
  port: 22;
  user: 'root';
  /** Absolute path of the private key that root and `admin` accept. */
  sshKey: string;
  /** `ssh-ed25519 AAAA...`, made for this host when it was created. */
  hostKey: string;
}

/** What `labUp` returns and `up --json` prints. */
export interface Lab {
  name: string;
  bridge: string;
  /** The lab's own network, as CIDR. */
  subnet: string;
  /** This machine's address on that network. */
  gateway: string;
  /** An address on that network that no host has, for the endpoint of the API servers. */
  virtualAddress: string;
  hosts: LabHost[];
  sshKey: string;
  /**
   * Users beside root, on every host. `admin` logs in with the lab's key, `operator` with a password; both use sudo
   * without one.
   */
  users: { admin: { user: 'admin'; sshKey: string }; operator: { user: 'operator'; passwordFile: string } };
  /** Address of the artifact mirror that the hosts reach, or null. */
  mirror: string | null;
  /** A spec that builds a cluster on these hosts as it is. */
  spec: ClusterSpecInput;
  /** The same as a YAML file. */
  specFile: string;
}

/** A cluster spec as a user writes it: defaults are not filled in. */
export interface ClusterSpecInput {
  apiVersion: ClusterSpec['apiVersion'];
  kind: ClusterSpec['kind'];
  metadata: { name: string };
  spec: Record<string, unknown> & { hosts: Record<string, unknown>[] };
}
