import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, constants, createSecureServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';

/** What stands before a Temporal server elsewhere: TLS, who may come in, and what they may do. */
export interface TlsFront {
  address: string;
  close(): Promise<void>;
}

/** Status codes of gRPC. */
const PERMISSION_DENIED = '7';
const UNAUTHENTICATED = '16';

/**
 * TLS before a Temporal server without it: demands client certificates when `clientCa` is given, an API key when one is,
 * and denies the methods whose names are given, as a server does whose credentials may not set anything up.
 */
export async function tlsFront(
  upstreamAddress: string,
  options: { key: string; cert: string; clientCa?: string; apiKey?: string; denied?: readonly string[] },
): Promise<TlsFront> {
  const { key, cert, clientCa, apiKey, denied = [] } = options;
  const upstream = connect(`http://${upstreamAddress}`);
  upstream.on('error', () => undefined);
  const server = createSecureServer({
    key: readFileSync(key),
    cert: readFileSync(cert),
    ...(clientCa ? { ca: readFileSync(clientCa), requestCert: true, rejectUnauthorized: true } : {}),
  });
  const refuse = (stream: ServerHttp2Stream, status: string, message: string) =>
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status, 'grpc-message': message },
      { endStream: true },
    );
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const method = headers[':path']?.split('/').at(-1) ?? '';
    if (apiKey !== undefined && headers['authorization'] !== `Bearer ${apiKey}`) {
      return refuse(stream, UNAUTHENTICATED, 'Request unauthorized.');
    }
    if (denied.includes(method)) return refuse(stream, PERMISSION_DENIED, `Request unauthorized: ${method}`);
    forward(stream, headers);
  });
  server.on('sessionError', () => undefined);
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));

  function forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const asked = upstream.request({ ...headers, ':authority': upstreamAddress, ':scheme': 'http' });
    let trailers: IncomingHttpHeaders = {};
    asked.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    asked.on('trailers', (given: IncomingHttpHeaders) => {
      trailers = given;
    });
    asked.on('response', (answer, flags) => {
      if (stream.destroyed) return;
      if (flags & constants.NGHTTP2_FLAG_END_STREAM) return stream.respond(answer, { endStream: true });
      stream.respond(answer, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers(trailers));
      asked.pipe(stream);
    });
    stream.on('close', () => asked.close(constants.NGHTTP2_CANCEL));
    stream.pipe(asked);
  }

  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    close() {
      upstream.destroy();
      for (const session of sessions) session.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** An authority of a test's own in a folder: makes certificates for 127.0.0.1, of servers and clients alike. */
export function certificateAuthority(folder: string, name: string): { ca: string; issue(of: string): Pair } {
  mkdirSync(folder, { recursive: true });
  const at = (file: string) => join(folder, file);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const ca = { key: at(`${name}.key`), cert: at(`${name}.crt`) };
  openssl('req', '-x509', ...curve, '-days', '2', '-subj', `/CN=${name}`, '-keyout', ca.key, '-out', ca.cert);
  return {
    ca: ca.cert,
    issue(of) {
      const pair = { key: at(`${name}-${of}.key`), cert: at(`${name}-${of}.crt`) };
      const [request, extensions] = [at(`${of}.csr`), at(`${of}.ext`)];
      writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1,DNS:temporal.test\n');
      openssl('req', '-new', ...curve, '-subj', `/CN=${of}`, '-keyout', pair.key, '-out', request);
      const signed = ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial', '-extfile', extensions];
      openssl('x509', '-req', '-in', request, '-days', '2', ...signed, '-out', pair.cert);
      return pair;
    },
  };
}

export interface Pair {
  key: string;
  cert: string;
}
