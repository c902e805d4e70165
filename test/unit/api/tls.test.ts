import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { Registry } from '@prometheus-io/client';
import { describe, expect, it } from 'vitest';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { buildApp } from '../../../api/app.ts';
import { readTls, watchTls } from '../../../api/tls.ts';
import { answersFile } from '../../support/answers.ts';
import { testApi } from './support.ts';

it('with a certificate the API serves only TLS, sends HSTS, and marks its cookie as secure', async () => {
  const now = new Date();
  const ca = await issueCa('test', now);
  const leaf = {
    authority: 'kubernetes',
    name: 'api',
    commonName: 'api',
    dnsNames: ['localhost'],
    usages: ['server'],
  } as const;
  const { cert, key } = await issueLeaf(ca, leaf, now);
  const plain = await testApi();
  const app = await buildApp(
    { ...plain.deps, metrics: new Registry() },
    { https: { cert, key }, checkAnswers: answersFile() },
  );
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number };
  const ask = (path: string, method = 'GET') =>
    new Promise<{ status: number; headers: Record<string, unknown> }>((resolve, reject) => {
      const headers = { authorization: `Bearer ${plain.token.operator}`, host: 'localhost' };
      request({ host: '127.0.0.1', port, path, method, headers, ca: ca.cert, servername: 'localhost' }, (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, headers: response.headers });
      })
        .on('error', reject)
        .end();
    });
  const listed = await ask('/clusters');
  expect(listed.status).toBe(200);
  expect(listed.headers['strict-transport-security']).toMatch(/max-age=\d{7,}/);
  const session = await ask('/codec/session', 'POST');
  expect(String(session.headers['set-cookie'])).toMatch(/; Secure$/);
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  await app.close();
  await plain.close();
});

describe('a certificate that changes', () => {
  const now = new Date();
  const leafOf = async (ca: Awaited<ReturnType<typeof issueCa>>, at = now) =>
    issueLeaf(
      ca,
      { authority: 'kubernetes', name: 'api', commonName: 'api', dnsNames: ['localhost'], usages: ['server'] } as const,
      at,
    );
  const start = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubewright-tls-'));
    const files = { cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
    const ca = await issueCa('test', now);
    const first = await leafOf(ca);
    const write = (pair: { cert: string; key: string }) => {
      writeFileSync(files.cert, pair.cert);
      writeFileSync(files.key, pair.key);
    };
    write(first);
    const plain = await testApi();
    const pair = readTls(files);
    const app = await buildApp(
      { ...plain.deps, metrics: new Registry() },
      { https: pair, checkAnswers: answersFile() },
    );
    await app.listen({ host: '127.0.0.1', port: 0 });
    const said: string[] = [];
    const log = (level: string) => (_meta: unknown, text: string) => void said.push(`${level}: ${text}`);
    const logger = { info: log('info'), error: log('error') } as never;
    const end = watchTls(app.server, files, pair, logger, 20);
    const { port } = app.server.address() as { port: number };
    const connect = () =>
      new Promise<TLSSocket>((resolve, reject) => {
        const socket = tlsConnect({ host: '127.0.0.1', port, ca: ca.cert, servername: 'localhost' }, () =>
          resolve(socket),
        );
        socket.on('error', reject);
      });
    const serial = (socket: TLSSocket) => socket.getPeerCertificate().serialNumber;
    return {
      ca,
      files,
      first,
      write,
      said,
      connect,
      serial,
      fresh: async () => {
        const socket = await connect();
        const found = serial(socket);
        socket.destroy();
        return found;
      },
      close: async () => {
        end();
        await app.close();
        await plain.close();
        rmSync(folder, { recursive: true });
      },
    };
  };
  const ask = (socket: TLSSocket) =>
    new Promise<string>((resolve) => {
      socket.once('data', (data: Buffer) => resolve(String(data).split('\r\n')[0]!));
      socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
    });

  it('is used for new connections, and open ones go on', async () => {
    const t = await start();
    const open = await t.connect();
    const before = t.serial(open);
    expect(await ask(open)).toBe('HTTP/1.1 200 OK');
    t.write(await leafOf(t.ca));
    await expect.poll(t.fresh).not.toBe(before);
    expect(await ask(open)).toBe('HTTP/1.1 200 OK');
    open.destroy();
    expect(t.said).toContain('info: the API uses the new TLS certificate');
    await t.close();
  });

  it('is reported once and not used when it is broken, gone, of another key, or out of date', async () => {
    const t = await start();
    const before = await t.fresh();
    const second = await leafOf(t.ca);
    const long = new Date(now.getTime() - 20 * 365 * 86_400_000);
    const expired = await leafOf(await issueCa('old', long), long);
    const wrong = [
      { cert: t.first.cert.slice(0, 200), key: t.first.key },
      { cert: second.cert, key: t.first.key },
      { cert: 'no certificate', key: 'no key' },
      expired,
    ];
    for (const [index, pair] of wrong.entries()) {
      t.write(pair);
      await expect.poll(() => t.said.filter((line) => line.startsWith('error')).length).toBeGreaterThan(index);
      expect(await t.fresh()).toBe(before);
    }
    const told = t.said.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(t.said.length).toBe(told);
    rmSync(t.files.cert);
    await expect.poll(() => t.said.length).toBeGreaterThan(told);
    expect(await t.fresh()).toBe(before);
    // And a good one afterwards is taken.
    t.write(second);
    await expect.poll(t.fresh).not.toBe(before);
    await t.close();
  });

  it('is refused at the start with a sentence that names the variable or the files', () => {
    const absent = { cert: '/absent.crt', key: '/absent.key' };
    expect(() => readTls(absent)).toThrow('KUBEWRIGHT_TLS_CERT: /absent.crt cannot be read: ENOENT');
    const text = { cert: '/etc/passwd', key: '/etc/passwd' };
    expect(() => readTls(text)).toThrow(/the certificate \/etc\/passwd and the key \/etc\/passwd cannot be used/);
  });
});
