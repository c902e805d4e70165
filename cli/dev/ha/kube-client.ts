import { Agent, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { parse } from 'yaml';
import { z } from 'zod';

/** Server, authority and client certificate of a kubeconfig; the three certificates are base64. */
export const kubeAccess = z.object({ server: z.url(), ca: z.string(), cert: z.string(), key: z.string() });
export type KubeAccess = z.infer<typeof kubeAccess>;

const kubeconfig = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: z.url(), 'certificate-authority-data': z.string() }) })]),
  users: z.tuple([
    z.object({ user: z.object({ 'client-certificate-data': z.string(), 'client-key-data': z.string() }) }),
  ]),
});

/** Reads a kubeconfig of one cluster and one user with a client certificate. Throws when it is another kind. */
export function accessOf(text: string): KubeAccess {
  const { clusters, users } = kubeconfig.parse(parse(text));
  const { cluster } = clusters[0];
  const { user } = users[0];
  return {
    server: cluster.server,
    ca: cluster['certificate-authority-data'],
    cert: user['client-certificate-data'],
    key: user['client-key-data'],
  };
}

/** `kept`: one connection for all requests, one request at a time. `new`: a connection for each request. */
export type Stream = 'kept' | 'new';

export interface Answer {
  status: number;
  body: string;
}

/** Requests to the API servers over connections that a test can tell apart. */
export class KubeClient {
  readonly #server: URL;
  readonly #tls: { ca: Buffer; cert: Buffer; key: Buffer };
  readonly #kept: Agent;
  readonly #onKept: (fingerprint: string) => void;

  /** `onKept` gets the SHA-256 fingerprint of the server's certificate of each kept connection. */
  constructor({ server, ca, cert, key }: KubeAccess, onKept: (fingerprint: string) => void = () => undefined) {
    this.#server = new URL(server);
    const bytes = (text: string) => Buffer.from(text, 'base64');
    this.#tls = { ca: bytes(ca), cert: bytes(cert), key: bytes(key) };
    this.#kept = new Agent({ ...this.#tls, keepAlive: true, maxSockets: 1 });
    this.#onKept = onKept;
  }

  /**
   * One attempt. `timeoutMs` counts from the moment on which the request has a connection to itself, the set-up of the
   * connection included; a connection without an answer in that time is closed. Rejects for any failure to get an answer.
   */
  send(stream: Stream, method: string, path: string, body: object | undefined, timeoutMs: number): Promise<Answer> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const fail = (error: Error) => {
        clearTimeout(timer);
        reject(error);
      };
      const sent = request(
        new URL(path, this.#server),
        {
          method,
          ...(stream === 'kept' ? { agent: this.#kept } : { agent: false, ...this.#tls }),
          headers: { 'content-type': 'application/json' },
        },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('end', () => {
            clearTimeout(timer);
            resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') });
          });
          answer.on('error', fail);
        },
      );
      sent.on('socket', (socket) => {
        timer = setTimeout(() => sent.destroy(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
        if (stream === 'kept' && socket.connecting) {
          const tls = socket as TLSSocket;
          tls.once('secureConnect', () => this.#onKept(tls.getPeerCertificate().fingerprint256));
        }
      });
      sent.on('error', fail);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  close(): void {
    this.#kept.destroy();
  }
}
