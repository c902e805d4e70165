import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createPki, type PkiSecrets } from '../../../activities/pki/pki.ts';
import type { LeafRequest } from '../../../activities/pki/types.ts';

/** The contract of store/secrets.ts with a pause in it, so that races show. */
class MemorySecrets implements PkiSecrets {
  readonly values = new Map<string, string>();
  get(scope: string, name: string): Promise<string | null> {
    return Promise.resolve(this.values.get(`${scope}/${name}`) ?? null);
  }
  async createIfAbsent(scope: string, name: string, make: () => string | Promise<string>): Promise<string> {
    const key = `${scope}/${name}`;
    if (!this.values.has(key)) {
      const made = await make();
      await new Promise((resolve) => setImmediate(resolve));
      if (!this.values.has(key)) this.values.set(key, made);
    }
    return this.values.get(key)!;
  }
}

/** The cross-check needs the openssl program. */
const OPENSSL = spawnSync('openssl', ['version']).status === 0;

const folder = mkdtempSync(join(tmpdir(), 'kubewright-pki-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });

const secrets = new MemorySecrets();
const pki = createPki({ secrets, cluster: 'demo', mode: 'apply' });
const request: LeafRequest = {
  authority: 'etcd',
  name: 'etcd-peer/cp-1',
  commonName: 'cp-1',
  dnsNames: ['cp-1', 'etcd.kubewright.internal'],
  ipAddresses: ['10.0.0.1', '127.0.0.1'],
  usages: ['server', 'client'],
};

describe.skipIf(!OPENSSL)('authorities', () => {
  it('are four different ones, for ten years, that sign leaves only', async () => {
    const cas = await Promise.all((['kubernetes', 'etcd', 'front-proxy', 'registry'] as const).map((n) => pki.ca(n)));
    expect(new Set(cas).size).toBe(4);
    const text = openssl('x509', '-in', file('ca.crt', cas[1]!), '-noout', '-text');
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    expect(text).toContain('X509v3 Subject Key Identifier');
    expect(text).toMatch(/Subject: O = Kubewright, CN = demo etcd CA/);
    expect(() =>
      openssl('x509', '-in', join(folder, 'ca.crt'), '-noout', '-checkend', String(3640 * 86400)),
    ).not.toThrow();
    expect((await pki.caKey('etcd')).value).toContain('BEGIN PRIVATE KEY');
  });
});

describe.skipIf(!OPENSSL)('leaf', () => {
  it('is what openssl calls a valid certificate for its names and usages', async () => {
    const { ca, cert, key } = await pki.leaf(request);
    const [caFile, certFile, keyFile] = [file('ca.crt', ca), file('leaf.crt', cert), file('leaf.key', key.value)];
    for (const purpose of ['sslserver', 'sslclient']) {
      expect(openssl('verify', '-x509_strict', '-purpose', purpose, '-CAfile', caFile, certFile)).toContain(': OK');
    }
    expect(openssl('verify', '-verify_ip', '10.0.0.1', '-CAfile', caFile, certFile)).toContain(': OK');
    expect(openssl('verify', '-verify_hostname', 'cp-1', '-CAfile', caFile, certFile)).toContain(': OK');
    expect(() => openssl('verify', '-verify_hostname', 'cp-2', '-CAfile', caFile, certFile)).toThrow();
    const text = openssl('x509', '-in', certFile, '-noout', '-text');
    expect(text).toMatch(/Extended Key Usage: *\n\s+TLS Web Server Authentication, TLS Web Client Authentication\n/);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
    expect(text).toContain('DNS:cp-1, DNS:etcd.kubewright.internal, IP Address:10.0.0.1, IP Address:127.0.0.1');
    const id = (name: string, source: string) =>
      new RegExp(`${name} Key Identifier: *\\n\\s+(?:keyid:)?([0-9A-F:]+)`).exec(source)?.[1];
    expect(id('Authority', text)).toBe(id('Subject', openssl('x509', '-in', caFile, '-noout', '-text')));
    expect(openssl('x509', '-in', certFile, '-noout', '-pubkey')).toBe(openssl('pkey', '-in', keyFile, '-pubout'));
    const { notBefore, notAfter } = dates(certFile);
    expect(Math.round((notAfter - notBefore) / 86_400_000)).toBe(365);
    expect(notBefore).toBeLessThanOrEqual(Date.now() - 299_000);
  });

  it('carries groups in the order asked for, and a client has no server usage', async () => {
    const { ca, cert } = await pki.leaf({
      authority: 'kubernetes',
      name: 'admin',
      commonName: 'kubewright:admin',
      organizations: ['system:masters', 'second'],
      usages: ['client'],
    });
    const [caFile, certFile] = [file('k.crt', ca), file('admin.crt', cert)];
    expect(openssl('x509', '-in', certFile, '-noout', '-subject')).toContain(
      'O = system:masters, O = second, CN = kubewright:admin',
    );
    expect(openssl('verify', '-purpose', 'sslclient', '-CAfile', caFile, certFile)).toContain(': OK');
    expect(() => openssl('verify', '-purpose', 'sslserver', '-CAfile', caFile, certFile)).toThrow();
    expect(() => openssl('verify', '-CAfile', join(folder, 'ca.crt'), certFile)).toThrow();
  });

  it('is the same for all callers, at once or later, in any order of names', async () => {
    const fresh = new MemorySecrets();
    const many = await Promise.all(
      Array.from({ length: 8 }, () => createPki({ secrets: fresh, cluster: 'demo', mode: 'apply' }).leaf(request)),
    );
    expect(new Set(many.map(({ cert }) => cert)).size).toBe(1);
    expect(new Set(many.map(({ key }) => key.value)).size).toBe(1);
    const again = createPki({ secrets: fresh, cluster: 'demo', mode: 'apply' });
    const turned = { ...request, dnsNames: [...request.dnsNames!].reverse() };
    expect((await again.leaf(turned)).cert).toBe(many[0]!.cert);
  });

  it('is issued again when its request changes or a fifth of its life is left, and then stays', async () => {
    const first = await pki.leaf(request);
    const moved = await pki.leaf({ ...request, ipAddresses: ['10.0.0.9'] });
    expect(moved.cert).not.toBe(first.cert);
    expect((await pki.leaf(request)).cert).toBe(first.cert);
    const after = (days: number) =>
      createPki({ secrets, cluster: 'demo', mode: 'apply', now: () => new Date(Date.now() + days * 86_400_000) });
    expect((await after(291).leaf(request)).cert).toBe(first.cert);
    const renewed = await after(293).leaf(request);
    expect(renewed.cert).not.toBe(first.cert);
    expect(renewed.ca).toBe(first.ca);
    expect(await after(294).leaf(request)).toEqual(renewed);
  });

  it('works in a TLS handshake with client certificates', async () => {
    const server = await pki.leaf(request);
    const client = await pki.leaf({ ...request, name: 'client', commonName: 'client', usages: ['client'] });
    const stranger = await pki.leaf({ ...request, authority: 'kubernetes', name: 'other', usages: ['client'] });
    const listener = createServer(
      { ca: server.ca, cert: server.cert, key: server.key.value, requestCert: true, rejectUnauthorized: true },
      (socket) => socket.end(`hello ${socket.getPeerCertificate().subject.CN}`),
    );
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const port = (listener.address() as AddressInfo).port;
    const talk = (leaf: typeof client) =>
      new Promise<string>((resolve, reject) => {
        let text = '';
        const socket = connect({ host: '127.0.0.1', port, ca: server.ca, cert: leaf.cert, key: leaf.key.value });
        socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        socket.on('end', () => resolve(text)).on('error', reject);
      });
    await expect(talk(client)).resolves.toBe('hello client');
    // TLS 1.3 refuses a client after its own handshake: it gets an error or a closed connection.
    expect(await talk(stranger).catch(() => '')).toBe('');
    await new Promise((resolve) => listener.close(resolve));
  });
});

describe('other secrets', () => {
  it('gives a key pair and random bytes that stay the same', async () => {
    const pair = await pki.keyPair('service-account');
    expect(await pki.keyPair('service-account')).toEqual(pair);
    const signature = sign('sha256', Buffer.from('token'), createPrivateKey(pair.privateKey.value));
    expect(verify('sha256', Buffer.from('token'), createPublicKey(pair.publicKey), signature)).toBe(true);
    const secret = await pki.randomSecret('encryption', 32);
    expect(Buffer.from(secret.value, 'base64')).toHaveLength(32);
    expect(await pki.randomSecret('encryption', 32)).toEqual(secret);
    expect(await pki.randomSecret('other', 32)).not.toEqual(secret);
  });

  it('writes a kubeconfig that holds its own certificates', async () => {
    const admin: LeafRequest = { authority: 'kubernetes', name: 'a', commonName: 'admin', usages: ['client'] };
    const config = parse((await pki.kubeconfig(admin, 'https://10.0.0.1:6443')).value) as Record<string, never>;
    const leaf = await pki.leaf(admin);
    expect(config).toMatchObject({
      kind: 'Config',
      'current-context': 'admin@demo',
      clusters: [{ cluster: { server: 'https://10.0.0.1:6443' } }],
      users: [{ user: { 'client-key-data': Buffer.from(leaf.key.value).toString('base64') } }],
    });
  });
});

describe('mode check', () => {
  let empty: MemorySecrets;
  beforeAll(() => {
    empty = new MemorySecrets();
  });

  it('stores nothing, and agrees with itself', async () => {
    const check = createPki({ secrets: empty, cluster: 'demo', mode: 'check' });
    const [first, second] = await Promise.all([check.leaf(request), check.leaf(request)]);
    expect(first).toEqual(second);
    expect(first.ca).toBe(await check.ca('etcd'));
    await check.randomSecret('x', 8);
    expect(empty.values.size).toBe(0);
  });

  it('returns what is stored', async () => {
    const check = createPki({ secrets, cluster: 'demo', mode: 'check' });
    expect(await check.leaf(request)).toEqual(await pki.leaf(request));
  });
});

function dates(certFile: string): { notBefore: number; notAfter: number } {
  const text = openssl('x509', '-in', certFile, '-noout', '-dates');
  const at = (name: string) => Date.parse(new RegExp(`${name}=(.*)`).exec(text)?.[1] ?? '');
  return { notBefore: at('notBefore'), notAfter: at('notAfter') };
}
