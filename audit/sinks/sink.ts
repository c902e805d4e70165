import type { Signer } from '../signing-key.ts';

/** Where anchors go, outside our database. Gets each of them at least once, in order. */
export interface AnchorSink {
  /** For logs and for the state file: kind and address, without credentials. */
  readonly name: string;
  /** Hand over texts of anchors. Throws when one of them may not have arrived: all are sent again later. */
  send(entries: readonly string[]): Promise<void>;
}

/** Which sinks there are, by configuration. */
export interface SinkConfig {
  /** A file to append to. */
  file?: string | undefined;
  /** `udp://host:port`, `tcp://host:port`, `tls://host:port` or `unix:///path`. */
  syslog?: string | undefined;
  /** `https://...` */
  webhook?: string | undefined;
  /** PEM of the authorities that a TLS sink is checked with, instead of those that Node knows. */
  ca?: string | undefined;
}

/** How long one delivery may take, ms. */
export const SEND_MS = 10_000;

/** What every sink may need of the installation. */
export interface SinkContext {
  signer: Signer;
  ca: string | undefined;
}
