import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openProxyLogin } from '../../../activities/host/credentials.ts';
import { KnownSecrets } from '../../../activities/host/known-secrets.ts';
import { PROXY_ENV } from '../../../activities/kube/paths.ts';
import { directPlaces, proxyEnvironment, proxyUrls } from '../../../activities/kube/proxy.ts';
import prepare from '../../../activities/phases/prepare/phase.ts';
import type { FileResource } from '../../../activities/resources/file.ts';
import { PROXY_EVIDENCE } from '../../../activities/resources/proxy-script.ts';
import { plainText } from '../../../activities/resources/resource.ts';
import { clusterSpec } from '../../../contracts/cluster.ts';
import { credentialUses } from '../../../contracts/credential-use.ts';
import type { KubewrightError } from '../../../contracts/errors.ts';
import { validateClusterSpec } from '../../../contracts/spec-parse.ts';
import { sampleCluster, sampleContext } from '../../golden/golden.ts';

const dir = mkdtempSync(join(tmpdir(), 'kubewright-proxy-'));
afterAll(() => rmSync(dir, { recursive: true }));

const PASSWORD = `p@s's %/#:$(id)"1`;
const HTTP = 'http://proxy.example.com:3128';
const withProxy = (proxy: unknown) => {
  const document = structuredClone(sampleCluster()) as unknown as { spec: Record<string, unknown> };
  document.spec['proxy'] = proxy;
  return document;
};
const issues = (proxy: unknown): string[] => {
  try {
    validateClusterSpec(withProxy(proxy));
    return [];
  } catch (error) {
    return (error as KubewrightError).errors!.map(({ path, message }) => `${path} ${message}`);
  }
};

describe('spec.proxy', () => {
  it('is left out of specs that have none, so that digests of earlier specs stay', () => {
    expect(Object.hasOwn(sampleCluster().spec, 'proxy')).toBe(false);
  });

  it('accepts addresses of http proxies, and names the error of others', () => {
    expect(
      issues({ http: HTTP, https: 'https://10.0.0.1:8443/', noProxy: ['.corp', '*.x.example', '10.0.0.0/8', 'a'] }),
    ).toEqual([]);
    expect(issues({})[0]).toMatch(/^spec\.proxy must name http, https or both/);
    for (const url of [
      'proxy:3128',
      'socks5://proxy:1080',
      'http://proxy',
      'http://proxy:99999',
      'http://proxy:1/path',
    ]) {
      expect(issues({ https: url })[0], url).toMatch(/^spec\.proxy\.https must (be such as|have a port)/);
    }
    for (const entry of ['*', '10.0.0.1/8', 'http://a', 'a b', ''])
      expect(issues({ http: HTTP, noProxy: [entry] }), entry).toHaveLength(1);
  });

  it('takes no password in clear text, and does not repeat it', () => {
    const [first = ''] = issues({ http: `http://ann:geheim99@proxy.example.com:3128` });
    expect(first).toMatch(/^spec\.proxy\.http must hold no user and password: .*PUT \/credentials\/\{name\}/);
    expect(first).not.toContain('geheim99');
  });

  it('uses its credential once per address', () => {
    const uses = (proxy: object) =>
      credentialUses(clusterSpec.parse(withProxy({ ...proxy, credential: { name: 'corp' } }))).filter(({ path }) =>
        path.startsWith('spec.proxy'),
      );
    expect(uses({ http: HTTP, https: `${HTTP}/` })).toMatchObject([
      { use: { address: 'proxy.example.com', port: 3128 } },
    ]);
    expect(uses({ http: HTTP, https: 'http://other:3128' })).toHaveLength(2);
  });
});

describe('the login', () => {
  const cluster = clusterSpec.parse(withProxy({ http: HTTP, https: HTTP, credential: { name: 'corp' } }));
  const [{ use }] = credentialUses(cluster).filter(({ path }) => path.startsWith('spec.proxy')) as unknown as [
    { use: never },
  ];
  const open = (stored: unknown, approved = false) =>
    openProxyLogin({ named: async () => stored as never, approved: async () => approved }, 'sample', use);
  const login = { kind: 'proxy', user: 'ann', password: PASSWORD };

  it('is opened for its clusters and addresses, and is of its own kind', async () => {
    expect(await open({ ...login, clusters: ['sample'] })).toEqual(login);
    expect(await open(login, true)).toEqual(login);
    expect(await open({ ...login, clusters: ['*'], addresses: ['proxy.example.com'] })).toEqual(login);
    for (const stored of [
      null,
      login,
      { ...login, clusters: ['other'] },
      { ...login, clusters: ['*'], addresses: ['10.0.0.0/8'] },
      // The login of a machine is sent to no proxy.
      { kind: 'password', password: 'root', clusters: ['*'] },
    ]) {
      await expect(open(stored)).rejects.toMatchObject({ code: 'SSH_CREDENTIAL_UNUSABLE' });
    }
  });

  it('is in the addresses that clients get, and masked in every form that they have', async () => {
    const secrets = new KnownSecrets();
    const urls = await proxyUrls(
      cluster,
      async () => login as never,
      (value) => secrets.add(value),
    );
    expect(urls).toMatchObject({ login: true, http: urls!.https });
    const { username, password, host } = new URL(urls!.http!);
    expect([username, decodeURIComponent(password), host]).toEqual(['ann', PASSWORD, 'proxy.example.com:3128']);
    const basic = Buffer.from(`ann:${PASSWORD}`).toString('base64');
    const shown = secrets.redactor.text(`${urls!.http} ${PASSWORD} Proxy-Authorization: Basic ${basic}`);
    for (const form of [PASSWORD, password, basic]) expect(shown).not.toContain(form);
  });
});

describe('the file on hosts', () => {
  it('means the same to sh and to systemd, for any password', async () => {
    const cluster = clusterSpec.parse(withProxy({ https: HTTP, credential: { name: 'corp' } }));
    const proxy = await proxyUrls(
      cluster,
      async () => ({ kind: 'proxy', user: `o'b`, password: PASSWORD }),
      () => {},
    );
    const { pki } = await sampleContext(prepare);
    const resource = (await proxyEnvironment(
      { cluster, proxy, pki },
      { path: PROXY_ENV, endpoint: 'x.test' },
    )) as FileResource;
    expect(resource).toMatchObject({ kind: 'file', mode: 0o600, owner: 'root', content: { secret: true } });
    const text = plainText(resource.content);
    // EnvironmentFile= takes a value as it stands when it has nothing to unquote.
    expect(text).not.toMatch(/^[^#].*["'\\ $`]/m);
    writeFileSync(join(dir, 'env'), text);
    const script = `set -a; . ${join(dir, 'env')}; printf '%s\\n' "$https_proxy" "$HTTPS_PROXY" "<$http_proxy>"`;
    const lines = execFileSync('sh', ['-euc', script], { encoding: 'utf8', env: { http_proxy: 'http://theirs' } });
    expect(lines).toBe(`${proxy!.https}\n${proxy!.https}\n<>\n`);
  });

  it('leaves out all that is of the cluster', () => {
    const phases = { master: { endpoint: 'api.example.com' } };
    const cluster = sampleCluster({ proxy: { http: HTTP, noProxy: ['*.Corp.example.com'] }, phases });
    const places = directPlaces(cluster, 'api.example.com');
    expect(places).toEqual([...new Set(places)]);
    for (const each of [
      ...['localhost', '127.0.0.1', '10.244.0.0/16', '10.96.0.0/16', '.svc', '.cluster.local', 'cluster.local'],
      ...['10.20.0.11', '203.0.113.13', '10.20.0.13', 'cp-1', 'worker-2', 'api.example.com', 'mirror.test'],
      ...['registry.kubewright.internal', 'api.kubewright.internal', '.corp.example.com'],
    ]) {
      expect(places).toContain(each);
    }
  });
});

it('evidence of a failed connection names where the host sets a proxy, without its login', () => {
  const script = PROXY_EVIDENCE.replaceAll(PROXY_ENV, join(dir, 'none'))
    .replace('/etc/environment', join(dir, 'environment'))
    .replaceAll(/ \/(etc|root)\/\S+/g, '');
  writeFileSync(
    join(dir, 'environment'),
    '# http_proxy=http://old:1\nPATH=/bin\nhttps_proxy="http://ann:geheim99@192.0.2.1:3128"\n',
  );
  const said = execFileSync('sh', ['-euc', `${script}\nkw_proxy_evidence`], { encoding: 'utf8' });
  expect(said).toMatch(/counts for nothing here/);
  expect(said).toContain(`${join(dir, 'environment')}:3:https_proxy="http://***@192.0.2.1:3128"`);
  expect(said).not.toMatch(/geheim99|old:1/);
});
