import { execFileSync, spawn } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createAnchorer } from '../../../api/anchorer.ts';
import { anchorHash } from '../../../audit/anchor.ts';
import { openSigner, type Signer } from '../../../audit/signing-key.ts';
import { openSinks } from '../../../audit/sinks/index.ts';
import type { AnchorSink, SinkConfig } from '../../../audit/sinks/sink.ts';
import { certificateAuthority, type Pair } from '../../support/tls-temporal.ts';
import { type Sample, sampleOperation } from './sample.ts';

/** Where anchors go outside the database: each sink against a server of its own. */

let folder: string;
let signer: Signer;
let ca: string;
let pair: { key: Buffer; cert: Buffer };
const closing: (() => void)[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubewright-sinks-'));
  const keys = join(folder, 'keys');
  mkdirSync(keys);
  signer = openSigner(keys);
  const authority = certificateAuthority(join(folder, 'tls'), 'ca');
  ca = readFileSync(authority.ca, 'utf8');
  pair = readPair(authority.issue('server'));
});
afterEach(() => {
  for (const close of closing.splice(0)) close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const readPair = ({ key, cert }: Pair) => ({ key: readFileSync(key), cert: readFileSync(cert) });
/** `trust`: PEM of the authorities; null: only those that Node knows. */
function sink(config: SinkConfig, trust: string | null = ca): AnchorSink {
  const [only, ...more] = openSinks(config, { signer, ca: trust ?? undefined });
  expect(more).toEqual([]);
  return only!;
}

async function listen(server: Server, at: object = { port: 0, host: '127.0.0.1' }): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket) => open.add(socket.on('error', () => undefined)));
  server.on('tlsClientError', () => undefined);
  closing.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(at, resolve));
  return (server.address() as AddressInfo).port;
}

interface Posted {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: Buffer;
}
/** A webhook that answers as told; returns its address and what it got. */
async function webhook(answer: (response: ServerResponse, nth: number) => void) {
  const got: Posted[] = [];
  const server = createHttps(pair, (request, response) => {
    response.on('error', () => undefined);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url, headers } = request;
      got.push({ method, url, headers, body: Buffer.concat(chunks) });
      answer(response, got.length);
    });
  });
  const port = await listen(server);
  return { address: `https://127.0.0.1:${port}/hook?team=1`, port, got };
}
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(code, headers).end();
  };

/** A bound on a hang: the machine may be busy. */
const PATIENT = { timeout: 20_000 };
const ENTRIES = ['{"anchor":{"n":1}}', '{"anchor":{"n":2}}'];

describe('the webhook', () => {
  it('gets anchors as NDJSON, signed over exactly the body', async () => {
    const { address, port, got } = await webhook(status(204));
    const to = sink({ webhook: address });
    // The query may be a secret of the receiver's: it is in no log.
    expect(to.name).toBe(`webhook:https://127.0.0.1:${port}/hook`);
    await to.send(ENTRIES);
    expect(got).toHaveLength(1);
    const { method, url, headers, body } = got[0]!;
    expect([method, url]).toEqual(['POST', '/hook?team=1']);
    expect(body.toString()).toBe(`${ENTRIES.join('\n')}\n`);
    expect(headers).toMatchObject({
      'content-type': 'application/x-ndjson',
      'content-length': String(body.length),
      'x-kubewright-fingerprint': signer.fingerprint,
    });
    const signature = Buffer.from(String(headers['x-kubewright-signature']), 'base64');
    expect(verify(null, body, createPublicKey(signer.publicKey), signature)).toBe(true);
  });

  it.each([301, 302, 307, 308])('follows no redirect (%i)', async (code) => {
    const target = await webhook(status(204));
    const { address, got } = await webhook(status(code, { location: target.address }));
    await expect(sink({ webhook: address }).send(ENTRIES)).rejects.toThrow(`the webhook answered with ${code}`);
    expect(got).toHaveLength(1);
    expect(target.got).toEqual([]);
  });

  it.each([400, 401, 404, 429, 500, 503])('has not taken what it answers with %i', async (code) => {
    const { address } = await webhook(status(code));
    await expect(sink({ webhook: address }).send(ENTRIES)).rejects.toThrow(`the webhook answered with ${code}`);
  });

  it('does not read what is answered, however long', async () => {
    let sent = 0;
    let ended: Promise<void> | undefined;
    const { address } = await webhook((response) => {
      response.writeHead(200);
      ended = new Promise((resolve) => response.once('close', resolve));
      const more = (): void => {
        if (response.destroyed) return;
        sent += 64 * 1024;
        if (response.write(Buffer.alloc(64 * 1024))) setImmediate(more);
        else response.once('drain', more);
      };
      more();
    });
    // An answer without an end: the connection is closed when its head was read.
    await sink({ webhook: address }).send(ENTRIES);
    await ended;
    // What fits buffers of two sockets, and no more.
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it('must have a certificate of the given authority, or of one that Node trusts', async () => {
    const { address, got } = await webhook(status(204));
    await expect(sink({ webhook: address }, null).send(ENTRIES)).rejects.toThrow(/certificate/);
    const other = readFileSync(certificateAuthority(join(folder, 'other'), 'other').ca, 'utf8');
    await expect(sink({ webhook: address }, other).send(ENTRIES)).rejects.toThrow(/certificate/);
    // The name counts too: the certificate is for 127.0.0.1.
    const elsewhere = address.replace('127.0.0.1', 'localhost');
    await expect(sink({ webhook: elsewhere }).send(ENTRIES)).rejects.toThrow(/altnames|ECONNREFUSED/);
    expect(got).toEqual([]);
  });

  it('that is unreachable, or ends the connection, fails', async () => {
    const { address } = await webhook((response) => response.destroy());
    await expect(sink({ webhook: address }).send(ENTRIES)).rejects.toThrow();
    await expect(sink({ webhook: 'https://127.0.0.1:9/' }).send(ENTRIES)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('delivery', () => {
  let sample: Sample;
  beforeAll(async () => {
    sample = await sampleOperation();
  });
  afterAll(() => sample.close());

  it('is tried again until the sink takes it, in order, and once only after it did', async () => {
    const { address, got } = await webhook((response, nth) =>
      status(nth === 1 ? 503 : nth === 2 ? 302 : 200)(response),
    );
    const dataDir = mkdtempSync(join(folder, 'memory-'));
    const to = sink({ webhook: address });
    const stored = await sample.store.anchors.list(0, 100);
    expect(stored.length).toBeGreaterThan(1);
    const make = () =>
      createAnchorer({ store: sample.store, signer: sample.signer, dataDir, sinks: [to], everyMs: 20 });
    const stop = make().start();
    await vi.waitFor(() => expect(got.length).toBe(3), PATIENT);
    await stop();
    const whole = stored.map(({ entry }) => `${entry}\n`).join('');
    for (const { body } of got.slice(0, 3)) expect(body.toString()).toBe(whole);
    const before = got.length;
    // The next process knows what arrived.
    const again = make().start();
    await again();
    expect(got.slice(before).map(({ body }) => body.toString())).toEqual([]);
    const { n, entry } = stored.at(-1)!;
    const memory = JSON.parse(readFileSync(join(dataDir, 'anchors.json'), 'utf8')) as { delivered: object };
    expect(memory.delivered).toEqual({ [to.name]: n });
    expect(anchorHash(entry)).toMatch(/^[0-9a-f]{64}$/);
  });
});

/** RFC 5424: priority and version, time, host, application, process, kind of message, no structured data, text. */
const MESSAGE = /^<85>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ kubewright \d+ anchor - (.*)$/;
const texts = (messages: readonly string[]) => messages.map((message) => MESSAGE.exec(message)?.[1] ?? message);

/** Octet-counted messages of a stream (RFC 6587, 3.4.1). */
function unframed(bytes: Buffer): string[] {
  const messages: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, space).toString());
    expect(length).toBeGreaterThan(0);
    messages.push(bytes.subarray(space + 1, space + 1 + length).toString());
    at = space + 1 + length;
  }
  return messages;
}

/** Collects what a server of streams gets until each sender ended. */
function collector() {
  const chunks: Buffer[] = [];
  const ended: Promise<unknown>[] = [];
  return {
    take: (socket: Socket): void => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      ended.push(new Promise((resolve) => socket.once('end', resolve)));
    },
    async messages() {
      await vi.waitFor(() => expect(ended.length).toBeGreaterThan(0), PATIENT);
      await Promise.all(ended);
      return unframed(Buffer.concat(chunks));
    },
  };
}

const AWKWARD = [...ENTRIES, `{"x":"${'y'.repeat(1_900)} 12 <85>1"}`];

describe('syslog', () => {
  it('over UDP: one datagram each', async () => {
    const server: Datagrams = createSocket('udp4');
    closing.push(() => server.close());
    const got: string[] = [];
    server.on('message', (message) => got.push(message.toString()));
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
    const to = sink({ syslog: `udp://127.0.0.1:${server.address().port}` });
    expect(to.name).toBe(`syslog:udp://127.0.0.1:${server.address().port}`);
    await to.send(AWKWARD);
    await vi.waitFor(() => expect(texts(got)).toEqual(AWKWARD), PATIENT);
  });

  it('over TCP and a stream socket: octet-counted, and all of it', async () => {
    for (const at of [{ port: 0, host: '127.0.0.1' }, { path: join(folder, 'stream.sock') }]) {
      const got = collector();
      const port = await listen(createTcp(got.take), at);
      await sink({ syslog: 'path' in at ? `unix://${at.path}` : `tcp://127.0.0.1:${port}` }).send(AWKWARD);
      expect(texts(await got.messages())).toEqual(AWKWARD);
    }
  });

  it('over TLS: to a server of the given authority, and to no other', async () => {
    const got = collector();
    const port = await listen(createTls(pair, got.take));
    const address = `tls://127.0.0.1:${port}`;
    await expect(sink({ syslog: address }, null).send(['not for you'])).rejects.toThrow(/certificate/);
    await sink({ syslog: address }).send(AWKWARD);
    expect(texts(await got.messages())).toEqual(AWKWARD);
  });

  it('on a datagram socket, as /dev/log is one: by logger', async () => {
    const path = join(folder, 'log.sock');
    // Node has no such sockets; Perl is in every Debian.
    const program = `use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, sockaddr_un($ARGV[0])) or die;
      $| = 1; print "ready\\n"; while (1) { recv($s, my $m, 65536, 0); print "$m\\n"; }`;
    const server = spawn('perl', ['-e', program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    closing.push(() => server.kill('SIGKILL'));
    let out = '';
    server.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    await vi.waitFor(() => expect(out).toBe('ready\n'), PATIENT);
    await sink({ syslog: `unix://${path}` }).send(AWKWARD);
    await vi.waitFor(() => expect(out.trim().split('\n')).toHaveLength(1 + AWKWARD.length), PATIENT);
    const [, ...messages] = out.trim().split('\n');
    expect(messages.map((message) => /^<85>1 .* kubewright .* anchor .*?(\{.*)$/.exec(message)?.[1])).toEqual(AWKWARD);
  });

  it('without a listener fails, where the protocol shows it', async () => {
    await expect(sink({ syslog: 'tcp://127.0.0.1:9' }).send(ENTRIES)).rejects.toThrow('ECONNREFUSED');
    await expect(sink({ syslog: 'tls://127.0.0.1:9' }).send(ENTRIES)).rejects.toThrow('ECONNREFUSED');
    await expect(sink({ syslog: `unix://${join(folder, 'absent')}` }).send(ENTRIES)).rejects.toThrow('ENOENT');
    const stale = join(folder, 'stale.sock');
    execFileSync('perl', [
      '-e',
      'use Socket; socket(my $s, AF_UNIX, SOCK_DGRAM, 0); bind($s, sockaddr_un($ARGV[0]))',
      stale,
    ]);
    await expect(sink({ syslog: `unix://${stale}` }).send(ENTRIES)).rejects.toThrow();
  });
});
