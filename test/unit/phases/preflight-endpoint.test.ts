import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { createServer as createTls, type TlsOptions } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { clientHello, greetingOf } from '../../../activities/kube/tls-hello.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import check from '../../../activities/phases/preflight/checks/endpoint.ts';
import { probeScript, readAnswers } from '../../../activities/phases/preflight/probe.ts';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { specValidator } from '../../../api/validate-phases.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

/** An address of no host, in whose place the servers of this test listen on loopback. */
const ELSEWHERE = '192.0.2.5';
const phases = await loadPhases();
const now = new Date();
const ours = await issueCa('sample kubernetes CA', now);
const theirs = await issueCa('another kubernetes CA', now);
const leafOf = (ca: typeof ours, commonName = 'kube-apiserver') =>
  issueLeaf(ca, { authority: 'kubernetes', name: 'a', commonName, dnsNames: ['api.test'], usages: ['server'] }, now);

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}
async function tlsServer(ca: typeof ours, options: TlsOptions = {}, commonName?: string): Promise<number> {
  const { cert, key } = await leafOf(ca, commonName);
  return listening(createTls({ cert, key, ...options }));
}

function clusterWith(host: string, port: number, hosts?: Record<string, unknown>[]) {
  const cluster = sampleCluster(hosts ? { hosts } : {});
  cluster.spec.controlPlane = { endpoint: { provider: 'external', host, port } };
  return cluster;
}
function viewOf(cluster: ReturnType<typeof sampleCluster>) {
  const host = cluster.spec.hosts[0]!;
  return { cluster, host, options: {}, requirements: requirementsOf(cluster, host) };
}

/** What the probe says on this machine of a server on loopback, as if it had the address `at`. */
async function problemsHere(port: number, more: { storedCa?: string | null; at?: string } = {}) {
  const { text, args } = probeScript([check], viewOf(clusterWith('127.0.0.1', port)));
  // Not spawnSync: the servers are in this process.
  const child = spawn('sh', ['-u', '-s', '--', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(text);
  let stdout = '';
  child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
  await once(child, 'close');
  const at = more.at ?? ELSEWHERE;
  const rows = readAnswers(stdout)
    .get('endpoint')!
    .map((row) => row.map((word) => (word === '127.0.0.1' ? at : word)));
  const cluster = clusterWith(at, port);
  return check.evaluate(
    {
      ...viewOf(cluster),
      facts: sampleFacts,
      duplicateHost: null,
      storedCa: more.storedCa ?? null,
      askedAtMs: 0,
      answeredAtMs: 0,
    },
    rows,
  );
}

describe('what answers at the endpoint before API servers run', () => {
  test('an API server of another cluster is named by its certificate', async () => {
    const port = await tlsServer(theirs);
    const [problem, ...others] = await problemsHere(port);
    expect(others).toEqual([]);
    expect(problem).toMatchObject({
      code: 'ENDPOINT_LEADS_ELSEWHERE',
      message: `the endpoint ${ELSEWHERE}:${port} leads elsewhere`,
      evidence: expect.stringMatching(
        /no certificates yet: subject CN=kube-apiserver; issuer .*another kubernetes CA.*; SHA-256 fingerprint [0-9A-F:]{95}; spec\.controlPlane\.endpoint; asked from cp-1$/,
      ),
    });
    expect((await problemsHere(port, { storedCa: ours.cert }))[0]?.evidence).toContain(
      'not that of an API server of this cluster',
    );
  });

  test('an API server of this cluster is right, a first build that goes on', async () => {
    expect(await problemsHere(await tlsServer(ours), { storedCa: ours.cert })).toEqual([]);
    // A kubelet has a certificate of the same authority.
    const [problem] = await problemsHere(await tlsServer(ours, {}, 'system:node:worker-1'), { storedCa: ours.cert });
    expect(problem).toMatchObject({
      code: 'ENDPOINT_LEADS_ELSEWHERE',
      evidence: expect.stringContaining('system:node:worker-1'),
    });
  });

  test('a balancer without a server that is up is right: it closes or refuses', async () => {
    expect(await problemsHere(await listening(createServer((socket) => socket.destroy())))).toEqual([]);
    const closed = createServer();
    const port = await listening(closed);
    await new Promise((resolve) => closed.close(resolve));
    servers.length = 0;
    expect(await problemsHere(port)).toEqual([]);
  });

  test('a server without TLS, and one that refuses the greeting, are named', async () => {
    const plain = await listening(
      createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')),
    );
    expect((await problemsHere(plain))[0]).toMatchObject({
      code: 'ENDPOINT_LEADS_ELSEWHERE',
      evidence: expect.stringContaining('no TLS: "HTTP/1.1 400 Bad Request"'),
    });
    // TLS 1.3 only: nothing shows yet, phase external asks again.
    expect(await problemsHere(await tlsServer(ours, { minVersion: 'TLSv1.3' }))).toEqual([]);
  });

  test('refused by a host of the cluster that is no control plane, or at another port of one', async () => {
    const closed = createServer();
    const port = await listening(closed);
    await new Promise((resolve) => closed.close(resolve));
    servers.length = 0;
    expect((await problemsHere(port, { at: '10.20.0.12' }))[0]).toMatchObject({
      code: 'ENDPOINT_LEADS_ELSEWHERE',
      evidence: expect.stringContaining('the host worker-1 of the cluster, no control plane, and nothing listens'),
    });
    expect((await problemsHere(port, { at: '10.20.0.11' }))[0]?.evidence).toContain('its API server has port 6443');
    expect((await problemsHere(port, { at: '127.0.1.1' }))[0]?.evidence).toContain('that is the host itself');
  });

  test('a name without an address, and an address that does not answer', () => {
    const input = { facts: sampleFacts, duplicateHost: null, storedCa: null, askedAtMs: 0, answeredAtMs: 0 };
    const view = viewOf(clusterWith('no-such-name.invalid', 6443));
    const { text, args } = probeScript([check], view);
    const { stdout } = spawnSync('sh', ['-u', '-s', '--', ...args], { input: text, encoding: 'utf8' });
    expect(check.evaluate({ ...view, ...input }, readAnswers(stdout).get('endpoint')!)).toEqual([
      expect.objectContaining({
        code: 'ENDPOINT_UNRESOLVED',
        message: 'the endpoint no-such-name.invalid has no IPv4 address',
      }),
    ]);
    const rows = [
      ['addresses', ELSEWHERE, '192.0.2.6'],
      ['192.0.2.6', 'silent'],
      [ELSEWHERE, 'unreachable'],
    ];
    expect(
      check
        .evaluate({ ...view, ...input }, rows)
        .map(({ code, message, evidence }) => `${code} ${message} ${evidence}`),
    ).toEqual([
      expect.stringMatching(
        /^ENDPOINT_UNREACHABLE .*no-such-name.invalid:6443 \(192.0.2.5\) cannot be reached no route to it/,
      ),
      expect.stringMatching(/^ENDPOINT_UNREACHABLE .*\(192.0.2.6\) cannot be reached no answer within 5 s/),
    ]);
    expect(check.evaluate({ ...view, ...input }, [['in-use']])).toEqual([]);
  });

  test('other ways to the API servers are not asked', () => {
    const cluster = sampleCluster();
    expect(check.probe?.args(viewOf(cluster))).toBeNull();
  });
});

test('the answer to a greeting may be anything', () => {
  expect(clientHello('api.test')).toContain(Buffer.from('api.test').toString('hex'));
  expect(clientHello('10.0.0.1')).not.toContain(Buffer.from('10.0.0.1').toString('hex'));
  expect(greetingOf('')).toEqual({ kind: 'nothing' });
  expect(greetingOf('15030300020228')).toEqual({ kind: 'alert', code: 0x28 });
  for (const text of ['1603', '160303ffff0b', '16030300040b000003', `1603030010${'0b'.repeat(16)}`, 'ff00ff'])
    expect(greetingOf(text).kind).toBe('other');
});

test('what the spec alone shows is refused at POST', () => {
  const issues = (host: string | undefined) => {
    const cluster = sampleCluster();
    cluster.spec.controlPlane = { endpoint: { provider: 'external', ...(host === undefined ? {} : { host }) } };
    return specValidator(phases)(cluster).map(({ path, message }) => `${path}: ${message}`);
  };
  const at = 'spec.controlPlane.endpoint.host';
  expect(issues(undefined)).toEqual([`${at}: is required with provider external`]);
  expect(issues('127.0.0.1')).toEqual([expect.stringContaining('choose provider node-local')]);
  expect(issues('api.kubewright.internal')).toEqual([expect.stringContaining('choose that provider')]);
  expect(issues('10.96.0.1')).toEqual([`${at}: 10.96.0.1 is in spec.network.serviceCidr 10.96.0.0/16`]);
  expect(issues('api.example.com')).toEqual([]);
});
