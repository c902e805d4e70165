import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ClientCertificate,
  checkedClientCertificate,
  openClientCertificate,
} from '../../../activities/host/client-certificate.ts';
import { createCredentialResolver } from '../../../activities/host/credentials.ts';
import { KnownSecrets } from '../../../activities/host/known-secrets.ts';
import { type Issued, issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { openedCertificate } from '../../../activities/tasks/opened-certificate.ts';
import { clientCertificateUses } from '../../../contracts/credential-use.ts';

const now = new Date();
const DAY_MS = 24 * 3600 * 1000;
let ca: Issued;
let other: Issued;
let client: Issued;
const leaf = (usages: ('server' | 'client')[], at = now, lifeMs = DAY_MS) =>
  issueLeaf(ca, { authority: 'etcd', name: 'x', commonName: 'kube', usages }, at, lifeMs);
const stored = (more: Partial<ClientCertificate> = {}): ClientCertificate => ({
  kind: 'client-certificate',
  certificate: client.cert,
  privateKey: client.key,
  ca: ca.cert,
  ...more,
});
const problem = (more: Partial<ClientCertificate>): string => {
  try {
    checkedClientCertificate(stored(more), 'etcd-client', now);
    return 'none';
  } catch (error) {
    expect(error).toMatchObject({ code: 'CLIENT_CERTIFICATE_UNUSABLE' });
    for (const line of (more.privateKey ?? client.key).split('\n').slice(1, -2))
      expect(String(error), 'key material in the message').not.toContain(line);
    return (error as Error).message;
  }
};

beforeAll(async () => {
  ca = await issueCa('their etcd', now);
  other = await issueCa('another', now);
  client = await leaf(['client']);
});

describe('a client certificate', () => {
  it('is taken with chain, bundle, other text and line ends of Windows, and becomes plain PEM', () => {
    const given = stored({
      certificate: `Certificate:\r\n    Data:\r\n${`${client.cert}${ca.cert}`.replaceAll('\n', '\r\n')}`,
      ca: `# one\n${other.cert}# two\n${ca.cert}`,
      privateKey: createPrivateKey(client.key).export({ type: 'sec1', format: 'pem' }).toString(),
    });
    expect(checkedClientCertificate(given, 'etcd-client', now)).toEqual({
      kind: 'client-certificate',
      certificate: `${client.cert}${ca.cert}`,
      ca: `${other.cert}${ca.cert}`,
      privateKey: createPrivateKey(client.key).export({ type: 'pkcs8', format: 'pem' }).toString(),
    });
  });

  it('is refused with the reason', async () => {
    const strange = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const encrypted = createPrivateKey(client.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'secret',
    });
    const server = await leaf(['server']);
    const past = await leaf(['client'], new Date(now.getTime() - 2 * DAY_MS), DAY_MS);
    const future = await leaf(['client'], new Date(now.getTime() + DAY_MS));
    const oldCa = await issueCa('old', new Date(now.getTime() - 4000 * DAY_MS));
    const cases: [Partial<ClientCertificate>, RegExp][] = [
      [
        { privateKey: strange.export({ type: 'pkcs8', format: 'pem' }).toString() },
        /privateKey does not belong to the certificate of CN=kube/,
      ],
      [{ certificate: `${ca.cert}${client.cert}` }, /put the certificate of the client first/],
      [{ privateKey: encrypted.toString() }, /is encrypted.*openssl pkey/],
      [{ privateKey: client.cert }, /privateKey has no private key/],
      [{ privateKey: client.key.replace(/M/g, '!') }, /privateKey (cannot be parsed|has no)/],
      [{ certificate: client.key }, /certificate has no certificate in PEM form, but PRIVATE KEY/],
      [{ certificate: client.cert.slice(0, 200) }, /END line is missing/],
      [
        { certificate: client.cert.replace(/\n[A-Za-z0-9+/=]{64}\n/, '\n') },
        /certificate 1 of certificate cannot be parsed/,
      ],
      [{ certificate: server.cert, privateKey: server.key }, /no clientAuth/],
      [{ certificate: past.cert, privateKey: past.key }, /expired at \d{4}-/],
      [{ certificate: future.cert, privateKey: future.key }, /valid from \d{4}-.* on only/],
      [{ ca: client.cert }, /ca has no certificate of an authority/],
      [{ ca: oldCa.cert }, /ca expired at/],
      [{ ca: 'x' }, /ca has no certificate in PEM form/],
      [{ ca: ca.cert.repeat(51) }, /ca has 51 certificates/],
    ];
    for (const [more, expected] of cases) expect(problem(more)).toMatch(expected);
    expect(problem({})).toBe('none');
  });
});

describe('a stored client certificate', () => {
  const places = [
    { host: 'etcd-1.example', port: 2379 },
    { host: '10.1.0.2', port: 2379 },
  ];
  const named = { credential: { name: 'etcd-client' }, places };
  const open = (found: unknown, approved = false) =>
    openedCertificate(
      {
        clientCertificate: (cluster, use) =>
          openClientCertificate({ named: async () => found as never, approved: async () => approved }, cluster, use),
      },
      'prod',
      named,
      new KnownSecrets(),
    );

  it('is opened for its clusters and servers, and is of its own kind', async () => {
    expect(await open({ ...stored(), clusters: ['prod'] })).toMatchObject({ ca: ca.cert });
    expect(await open(stored(), true)).toMatchObject({ certificate: client.cert });
    const addresses = ['etcd-1.example', '10.1.0.0/24'];
    expect(await open({ ...stored(), clusters: ['*'], addresses })).toMatchObject({ ca: ca.cert });
    for (const refused of [
      null,
      stored(),
      { ...stored(), clusters: ['other'] },
      { ...stored(), clusters: ['*'], addresses: ['10.1.0.0/24'] },
      { ...stored(), clusters: ['*'], addresses: ['etcd-1.example'] },
      { kind: 'password', password: 'root', clusters: ['*'] },
      { kind: 'proxy', user: 'ann', password: 'root', clusters: ['*'] },
    ]) {
      await expect(open(refused)).rejects.toMatchObject({ code: 'SSH_CREDENTIAL_UNUSABLE' });
    }
    const past = await leaf(['client'], new Date(now.getTime() - 2 * DAY_MS), DAY_MS);
    await expect(
      open({ ...stored({ certificate: past.cert, privateKey: past.key }), clusters: ['*'] }),
    ).rejects.toMatchObject({ code: 'CLIENT_CERTIFICATE_UNUSABLE' });
  });

  it('is no login to a host', async () => {
    const found = { ...stored(), clusters: ['*'] };
    const resolver = createCredentialResolver({ named: async () => found });
    const [use] = clientCertificateUses(named);
    await expect(resolver.resolve('prod', use!)).rejects.toMatchObject({ code: 'SSH_CREDENTIAL_UNUSABLE' });
  });

  it('is masked, line by line too', async () => {
    const secrets = new KnownSecrets();
    const opened = await openedCertificate({ clientCertificate: async () => stored() }, 'prod', named, secrets);
    const { value } = opened.privateKey;
    const line = value.split('\n')[1]!;
    expect(secrets.redactor.text(`${value} ${line}`)).not.toContain(line);
  });
});
