import { spawn } from 'node:child_process';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatMarker, markerOf } from '../../activities/host/ownership-marker.ts';
import { CLAIMED, claimPrefix } from '../../activities/phases/external-etcd/claim.ts';
import type { OpenedCertificate, PhaseRun } from '../../activities/phases/phase.ts';
import type { Problem } from '../../activities/phases/preflight/check.ts';
import check from '../../activities/phases/preflight/checks/external-etcd.ts';
import { evaluate, loadChecks, probeScript, readAnswers } from '../../activities/phases/preflight/probe.ts';
import { issueCa, issueLeaf } from '../../activities/pki/certificates.ts';
import { secretText } from '../../activities/resources/resource.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { type LabEtcd, startEtcd, stopEtcds } from '../../lab/etcd-server.ts';
import { labOfRef, labPaths } from '../../lab/paths.ts';
import { fakeArtifacts, fakePki, requirementsOf, sampleCluster, sampleFacts } from '../golden/golden.ts';

/** The preflight check and the claim of the prefix, on real servers with users, certificates and a slow link. */

const lab = { name: 'kxie', sshKey: labPaths('kxie').sshKey };
let etcd: LabEtcd;
let other: LabEtcd;
const closers: (() => Promise<unknown>)[] = [];
const kube = [
  { prefix: '/registry/', permission: 'readwrite' as const },
  { prefix: '/taken/', permission: 'readwrite' as const },
  { prefix: '/claim/', permission: 'readwrite' as const },
  { prefix: 'compact_rev_key', permission: 'readwrite' as const },
];

beforeAll(async () => {
  const address = '127.0.0.1';
  etcd = await startEtcd(lab, {
    ...{ address, port: 23_810, label: 'one' },
    users: [
      { name: 'kube', grants: kube },
      { name: 'reader', grants: [{ prefix: '/registry/', permission: 'read' }] },
      { name: 'forgetful', grants: kube.slice(0, 1) },
    ],
  });
  other = await startEtcd(lab, { address, port: 23_820, label: 'two' });
}, 60_000);
afterAll(async () => {
  for (const close of closers) await close();
  await stopEtcds(labOfRef(lab));
  await etcd?.stop();
  await other?.stop();
});

async function certificateOf(server: LabEtcd, name = 'kube', ca = server.ca): Promise<OpenedCertificate> {
  const { cert, key } = await server.client(name);
  return { certificate: cert, privateKey: secretText(key), ca };
}

const clusterAt = (endpoints: readonly string[], prefix = '/registry') =>
  sampleCluster({
    hosts: [{ name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'worker'] }],
    phases: { etcd: { bootstrap: { mode: 'external', endpoints, credential: { name: 'c' }, prefix } } },
  });

/** Runs a script as a host does: on standard input, so that no argument has a secret. */
async function local(text: string, args: readonly string[]): Promise<string> {
  const child = spawn('sh', ['-u', '-s', '--', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(text);
  const parts: Buffer[] = [];
  for await (const part of child.stdout) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

async function problemsAt(
  endpoints: readonly string[],
  {
    certificate,
    prefix = '/registry',
    options = {},
    claimed = false,
  }: { certificate: OpenedCertificate; prefix?: string; options?: object; claimed?: boolean },
): Promise<Problem[]> {
  const cluster = clusterAt(endpoints, prefix);
  const host = cluster.spec.hosts[0]!;
  const { id } = await markerOf(cluster, fakePki);
  const loaded = await loadChecks([check], {
    ...{ cluster, host, pki: fakePki, phases: new Map(), artifacts: fakeArtifacts(false) },
    clusterState: {
      get: async (name) => (claimed && name === CLAIMED ? id : null),
      set: async () => {},
      list: async () => new Map(),
    },
  });
  const of = { cluster, host, requirements: requirementsOf(cluster, host), options, loaded };
  const { text, args } = probeScript([check], of, new Map([['c', certificate]]));
  const secret = certificate.privateKey.value.split('\n')[1]!;
  expect(args.join(' ')).not.toContain(secret);
  const answers = readAnswers(await local(text, args));
  const input = { ...of, facts: sampleFacts, duplicateHost: null, askedAtMs: 0, answeredAtMs: 0 };
  const problems = evaluate([check], input, answers);
  expect(JSON.stringify(problems)).not.toContain(secret);
  return problems;
}
const codes = (problems: readonly Problem[]) => problems.map(({ code }) => code);
const keysOf = (server: LabEtcd) => server.ctl('get', '', '--prefix', '--keys-only');

/** A TLS server that answers every path so. */
async function fakeServer(body: string): Promise<{ url: string; ca: string }> {
  const now = new Date();
  const ca = await issueCa('a server of others', now);
  const leaf = { authority: 'etcd' as const, name: 's', commonName: 's', ipAddresses: ['127.0.0.1'] };
  const { cert, key } = await issueLeaf(ca, { ...leaf, usages: ['server'] }, now);
  const server = createHttps({ cert, key }, (_request, response) => response.end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, ca: ca.cert };
}

/** A way to a server that delays what goes through it, per direction. */
async function slowWayTo(url: string, delayMs: number): Promise<string> {
  const { hostname, port } = new URL(url);
  const server = createServer((from) => {
    const to = connect(Number(port), hostname);
    const pipe = (a: typeof from, b: typeof from) => {
      a.on('data', (data) => void sleep(delayMs).then(() => b.write(data)));
      a.on('end', () => void sleep(delayMs).then(() => b.end()));
      a.on('error', () => b.destroy());
    };
    pipe(from, to);
    pipe(to, from);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('preflight accepts', () => {
  it('an etcd with users whose rights are those that API servers need, and writes nothing', async () => {
    const before = await keysOf(etcd);
    const revision = async () => /"revision":(\d+)/.exec(await etcd.ctl('get', 'x', '--write-out=json'))?.[1];
    const first = await revision();
    expect(await problemsAt([etcd.url], { certificate: await certificateOf(etcd) })).toEqual([]);
    expect(await keysOf(etcd)).toBe(before);
    expect(await revision()).toBe(first);
  });

  it('an endpoint that is down where the cluster is built and another endpoint answers', async () => {
    const certificate = await certificateOf(other);
    const cluster = clusterAt([other.url]);
    await other.ctl('put', '/registry/.kubewright', formatMarker(await markerOf(cluster, fakePki)));
    const endpoints = [other.url, 'https://127.0.0.1:23899'];
    expect(await problemsAt(endpoints, { certificate, claimed: true })).toEqual([]);
    expect(codes(await problemsAt(endpoints, { certificate }))).toEqual(['EXTERNAL_ETCD_UNREACHABLE']);
    expect(codes(await problemsAt(endpoints.slice(1), { certificate, claimed: true }))).toEqual([
      'EXTERNAL_ETCD_UNREACHABLE',
    ]);
    await other.ctl('del', '/registry/.kubewright');
  });
});

describe('preflight refuses', () => {
  it('an endpoint where nothing listens, with the name of the endpoint', async () => {
    const [problem] = await problemsAt(['https://127.0.0.1:23899'], { certificate: await certificateOf(etcd) });
    expect(problem).toMatchObject({
      code: 'EXTERNAL_ETCD_UNREACHABLE',
      evidence: expect.stringMatching(/127\.0\.0\.1:23899: version: curl: \(7\)/),
    });
  });

  it('a wrong CA, and a client certificate of another authority', async () => {
    const [wrongCa] = await problemsAt([etcd.url], { certificate: await certificateOf(etcd, 'kube', other.ca) });
    expect(wrongCa).toMatchObject({
      code: 'EXTERNAL_ETCD_TLS_FAILED',
      message: expect.stringMatching(/not of the CA of the credential/),
      evidence: expect.stringMatching(/curl: \(60\)/),
    });
    const [wrongClient] = await problemsAt([etcd.url], { certificate: await certificateOf(other, 'kube', etcd.ca) });
    expect(wrongClient).toMatchObject({
      code: 'EXTERNAL_ETCD_TLS_FAILED',
      message: expect.stringMatching(/does not accept the client certificate/),
    });
  });

  it('what is no etcd, and an etcd that is too old', async () => {
    const refused = async (body: string) => {
      const { url, ca } = await fakeServer(body);
      return problemsAt([url], { certificate: await certificateOf(etcd, 'kube', ca) });
    };
    expect(await refused('<html>Welcome</html>')).toMatchObject([
      {
        code: 'EXTERNAL_ETCD_UNSUITABLE',
        message: expect.stringMatching(/is no etcd/),
        evidence: expect.stringMatching(/Welcome/),
      },
    ]);
    expect(codes(await refused('x'.repeat(200_000)))).toEqual(['EXTERNAL_ETCD_UNSUITABLE']);
    for (const version of ['3.5.21', '4.0.0'])
      expect(await refused(JSON.stringify({ etcdserver: version, etcdcluster: '3.5.0' }))).toMatchObject([
        {
          code: 'EXTERNAL_ETCD_UNSUITABLE',
          message: expect.stringContaining(`etcd ${version}; Kubernetes needs 3.5.24`),
        },
      ]);
  });

  it('a client without the rights: none, to read only, or without the key of the compaction', async () => {
    const refused = async (name: string) => problemsAt([etcd.url], { certificate: await certificateOf(etcd, name) });
    const forbidden = (what: RegExp) => [{ code: 'EXTERNAL_ETCD_FORBIDDEN', message: expect.stringMatching(what) }];
    expect(await refused('nobody')).toMatchObject(forbidden(/read the keys below \/registry\//));
    expect(await refused('reader')).toMatchObject(forbidden(/write keys below \/registry\//));
    expect(await refused('forgetful')).toMatchObject(forbidden(/compact_rev_key/));
  });

  it('an etcd behind a slow link, with the figure', async () => {
    const url = await slowWayTo(etcd.url, 30);
    const certificate = await certificateOf(etcd);
    const [problem] = await problemsAt([url], { certificate, options: { externalEtcdLatencyMs: 20 } });
    expect(problem).toMatchObject({ code: 'EXTERNAL_ETCD_SLOW' });
    expect(Number(/: ([\d.]+) ms/.exec(problem!.evidence)?.[1])).toBeGreaterThan(40);
  });

  it('endpoints of two etcd clusters', async () => {
    const way = await slowWayTo(other.url, 0);
    // One authority: the second server is a copy of the first with data of its own.
    const certificate = await certificateOf(other);
    const twin = await startEtcd(lab, {
      address: '127.0.0.1',
      port: 23_830,
      label: 'twin',
      authority: other.authority,
    });
    closers.push(() => twin.stop());
    expect(codes(await problemsAt([other.url, way], { certificate }))).toEqual([]);
    expect(await problemsAt([other.url, twin.url], { certificate })).toMatchObject([
      { code: 'EXTERNAL_ETCD_DIVIDED', evidence: expect.stringMatching(/cluster [0-9a-f]+\n.*cluster [0-9a-f]+/) },
    ]);
  });

  it('keys of others below the prefix: without a marker, of another cluster, of an earlier life', async () => {
    const certificate = await certificateOf(etcd);
    await etcd.ctl('put', '/taken/namespaces/default', 'x');
    const taken = () => problemsAt([etcd.url], { certificate, prefix: '/taken' });
    expect(await taken()).toMatchObject([
      {
        code: 'EXTERNAL_ETCD_IN_USE',
        message: expect.stringMatching(/1 keys below \/taken\//),
        evidence: expect.stringMatching(/\/taken\/namespaces\/default/),
      },
    ]);
    await etcd.ctl('put', '/taken/.kubewright', 'prod 0123456789abcdef\n');
    expect(await taken()).toMatchObject([
      { code: 'EXTERNAL_ETCD_IN_USE', message: expect.stringMatching(/belong to the cluster prod/) },
    ]);
    await etcd.ctl('put', '/taken/.kubewright', 'sample 0123456789abcdef\n');
    expect(await taken()).toMatchObject([
      { message: expect.stringMatching(/an earlier cluster that is called sample/) },
    ]);
  });

  it('an empty etcd in the place of the one that has the keys of the cluster', async () => {
    const certificate = await certificateOf(etcd);
    expect(codes(await problemsAt([etcd.url], { certificate, claimed: true }))).toEqual(['EXTERNAL_ETCD_REPLACED']);
  });
});

describe('the prefix', () => {
  const notes = new Map<string, string>();
  const runOf = async (mode: 'apply' | 'check', prefix: string): Promise<PhaseRun<unknown>> =>
    ({
      ...{ cluster: clusterAt(['https://127.0.0.1:23899', etcd.url], prefix), pki: fakePki, mode },
      clusterState: {
        get: async (name: string) => notes.get(name) ?? null,
        set: async (name: string, text: string) => void notes.set(name, text),
      },
      remote: { script: async (text: string, args: readonly string[]) => ({ stdout: await local(text, args) }) },
      clientCertificate: () => certificateOf(etcd),
      fail: (code: never, message: string, evidence?: string) => {
        throw new KubewrightError(code, message, { evidence });
      },
    }) as unknown as PhaseRun<unknown>;

  it('is claimed once, by one key, through the endpoint that answers; a dry run writes nothing', async () => {
    const planned = await claimPrefix(await runOf('check', '/claim'));
    expect(planned).toMatchObject([{ resource: 'etcd-prefix:/claim', action: 'create' }]);
    expect(await etcd.ctl('get', '/claim', '--prefix', '--keys-only')).toBe('');
    expect(await claimPrefix(await runOf('apply', '/claim'))).toEqual(planned);
    expect((await etcd.ctl('get', '/claim', '--prefix', '--keys-only')).trim()).toBe('/claim/.kubewright');
    expect(await claimPrefix(await runOf('apply', '/claim'))).toEqual([]);
    expect(await problemsAt([etcd.url], { certificate: await certificateOf(etcd), prefix: '/claim' })).toEqual([]);
    // The note was lost: the marker is recognised.
    notes.clear();
    expect(await claimPrefix(await runOf('apply', '/claim'))).toEqual([]);
    expect(notes.size).toBe(1);
  });

  it('that another cluster has is refused, also when preflight did not see it yet', async () => {
    notes.clear();
    await expect(claimPrefix(await runOf('apply', '/taken'))).rejects.toMatchObject({ code: 'EXTERNAL_ETCD_IN_USE' });
    expect(notes.size).toBe(0);
  });
});
