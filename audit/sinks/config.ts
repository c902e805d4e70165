import { resolve } from 'node:path';
import { z } from 'zod';
import type { SinkConfig } from './sink.ts';

const optional = z
  .string()
  .max(4096)
  .optional()
  .transform((value) => (value === '' ? undefined : value));

const url = (protocols: readonly string[], say: string) =>
  optional.refine((given) => {
    if (given === undefined) return true;
    if (!URL.canParse(given)) return false;
    const { protocol, hostname, pathname, username, password } = new URL(given);
    const place = protocol === 'unix:' ? pathname.length > 1 : hostname !== '';
    return protocols.includes(protocol) && place && username === '' && password === '';
  }, say);

/** Environment of the signed heads: how often they are signed, and the external sinks. */
export const sinkEnvironment = {
  KUBEWRIGHT_AUDIT_ANCHOR_SECONDS: z.coerce.number().int().min(1).max(3_600).default(15),
  KUBEWRIGHT_AUDIT_SINK_FILE: optional,
  KUBEWRIGHT_AUDIT_SINK_SYSLOG: url(
    ['udp:', 'tcp:', 'tls:', 'unix:'],
    'must be udp://host:port, tcp://host:port, tls://host:port or unix:///path',
  ),
  KUBEWRIGHT_AUDIT_SINK_WEBHOOK: url(['https:'], 'must begin with https:// and hold no password'),
  KUBEWRIGHT_AUDIT_SINK_CA: optional,
};

/** How the heads of chains are signed and kept. */
export interface AnchorConfig {
  everyMs: number;
  sinks: Omit<SinkConfig, 'ca'>;
  /** A PEM file of authorities for sinks with TLS. */
  caFile: string | undefined;
}

/** From parsed variables. */
export function anchorConfig(
  data: {
    [name in keyof typeof sinkEnvironment]: z.output<(typeof sinkEnvironment)[name]>;
  },
): AnchorConfig {
  const file = data.KUBEWRIGHT_AUDIT_SINK_FILE;
  return {
    everyMs: data.KUBEWRIGHT_AUDIT_ANCHOR_SECONDS * 1_000,
    sinks: {
      file: file === undefined ? undefined : resolve(file),
      syslog: data.KUBEWRIGHT_AUDIT_SINK_SYSLOG,
      webhook: data.KUBEWRIGHT_AUDIT_SINK_WEBHOOK,
    },
    caFile: data.KUBEWRIGHT_AUDIT_SINK_CA,
  };
}
