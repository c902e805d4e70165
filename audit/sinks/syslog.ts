import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { finished } from 'node:stream/promises';
import { connect as connectTls } from 'node:tls';
import { type AnchorSink, SEND_MS, type SinkContext } from './sink.ts';

/** Facility authpriv (10), severity notice (5): RFC 5424, 6.2.1. */
const PRIORITY = 10 * 8 + 5;
/** `logger` cuts messages at 1 KiB otherwise. */
const LOGGER_SIZE = '8KiB';

/** One message as RFC 5424 has it. The text is JSON in ASCII, so it needs no byte order mark. */
export function syslogMessage(text: string, at = new Date(), host = hostname()): string {
  const name = host.replace(/[^\x21-\x7e]/g, '').slice(0, 255) || '-';
  return `<${PRIORITY}>1 ${at.toISOString()} ${name} kubewright ${process.pid} anchor - ${text}`;
}

/**
 * Sends each anchor as one message: a datagram (RFC 5426), or octet-counted on a connection (RFC 6587; with TLS RFC
 * 5425). A datagram that was lost is not noticed; `audit check` does not mind gaps in what a sink kept.
 */
export function syslogSink(address: string, { ca }: SinkContext): AnchorSink {
  const url = new URL(address);
  const name = `syslog:${url.protocol}//${url.host}${url.pathname}`;
  if (url.protocol === 'unix:') return { name, send: (entries) => toUnixSocket(url.pathname, entries) };
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (url.protocol === 'tls:' ? 6514 : 514));
  if (url.protocol === 'udp:') return { name, send: (entries) => datagrams({ host, port }, entries) };
  return {
    name,
    send: (entries) =>
      onConnection(
        () =>
          url.protocol === 'tls:'
            ? connectTls({
                ...{ host, port },
                ...(ca === undefined ? {} : { ca }),
                // An address is no server name (RFC 6066); the certificate is checked for it anyway.
                ...(isIP(host) === 0 ? { servername: host } : {}),
              })
            : connectTcp({ host, port }),
        url.protocol === 'tls:' ? 'secureConnect' : 'connect',
        entries.map((entry) => framed(syslogMessage(entry))),
      ),
  };
}

/** Octet counting: the length in bytes, a space, the message. */
const framed = (message: string): string => `${Buffer.byteLength(message)} ${message}`;

async function datagrams({ host, port }: { host: string; port: number }, entries: readonly string[]): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    for (const entry of entries) {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.send(syslogMessage(entry), port, host, (error) => (error ? reject(error) : resolve()));
      });
    }
  } finally {
    socket.close();
  }
}

/** Opens a connection, writes, and ends it: the other side has everything once it has closed too, or our end was sent. */
async function onConnection(open: () => Socket, ready: string, messages: readonly string[]): Promise<void> {
  const socket = open();
  socket.setTimeout(SEND_MS, () => socket.destroy(new Error('the syslog server did not take it in time')));
  // What it answers is not read.
  socket.resume();
  const done = finished(socket, { readable: false });
  // Awaited below; until then a failed connection must not be an unhandled rejection.
  done.catch(() => undefined);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once(ready, () => resolve());
      socket.once('error', reject);
    });
    socket.end(messages.join(''));
    await done;
  } finally {
    socket.destroy();
  }
}

/** A stream socket by ourselves; /dev/log takes datagrams only, which Node cannot send: `logger` of util-linux can. */
async function toUnixSocket(path: string, entries: readonly string[]): Promise<void> {
  try {
    await onConnection(
      () => connectTcp({ path }),
      'connect',
      entries.map((entry) => framed(syslogMessage(entry))),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPROTOTYPE') throw error;
    await byLogger(path, entries);
  }
}

async function byLogger(path: string, entries: readonly string[]): Promise<void> {
  const options = ['--socket', path, '--socket-errors=on', '--rfc5424', '--tag', 'kubewright', '--msgid', 'anchor'];
  const child = spawn('logger', [...options, '--priority', 'authpriv.notice', '--size', LOGGER_SIZE], {
    stdio: ['pipe', 'ignore', 'pipe'],
    timeout: SEND_MS,
  });
  let received = '';
  child.stderr.on('data', (chunk: Buffer) => {
    received = (received + chunk.toString('utf8')).slice(-500);
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(entries.map((entry) => `${entry}\n`).join(''));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status));
  });
  if (code !== 0) throw new Error(`logger could not write to ${path}: ${received.trim() || `it ended with ${code}`}`);
}
