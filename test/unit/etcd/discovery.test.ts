import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { PERMISSION_DENIED, readIfWritable, readTxnAnswer } from '../../../activities/kube/etcd-grpc.ts';
import { registryClaim, registryOf, registryProblem } from '../../../activities/kube/etcd-registry.ts';
import {
  bootstrapCertificate,
  bootstrapDiscovery,
  bootstrapEnvironment,
  bootstrapOption,
} from '../../../activities/phases/etcd/bootstrap.ts';
import { discoveryEnvironment } from '../../../activities/phases/etcd/discovery.ts';
import { type DiscoveryByEndpoints, discoveryIssues } from '../../../activities/phases/etcd/discovery-option.ts';
import { etcdBootstrap } from '../../../activities/phases/etcd/environment.ts';
import check from '../../../activities/phases/preflight/checks/discovery.ts';
import checkUrl from '../../../activities/phases/preflight/checks/discovery-url.ts';
import { certificateFunctions } from '../../../activities/phases/preflight/client-certificates.ts';
import { secretText } from '../../../activities/resources/resource.ts';
import { majority } from '../../../contracts/quorum.ts';
import { sampleCluster } from '../../golden/golden.ts';

const clusterOf = (size: number) =>
  sampleCluster({
    hosts: Array.from({ length: size }, (_, index) => ({
      name: `cp-${index + 1}`,
      address: `10.0.0.${index + 1}`,
      roles: ['control-plane', 'etcd'],
    })),
  });
const DISCOVERY: DiscoveryByEndpoints = {
  mode: 'discovery',
  endpoints: ['https://10.9.0.1:2379', 'https://etcd.example.com:2379'],
  token: 'a-new-token',
  credential: { name: 'registry' },
};
const founders = [1, 2, 3].map((each) => ({ name: `cp-${each}`, peerUrl: `https://10.0.0.${each}:2380` }));

describe('what a founder gets', () => {
  it.each([3, 5, 7])('of %i members: the list, or the registry for just as many', (size) => {
    const cluster = clusterOf(size);
    const required = bootstrapDiscovery(cluster, { bootstrap: DISCOVERY, dataDir: '/data' }, 'etcd/formed');
    expect(required).toMatchObject({
      certificates: [{ credential: { name: 'registry' }, until: 'etcd/formed' }],
      discovery: { token: 'a-new-token', credential: 'registry', unless: '/data/member', until: 'etcd/formed' },
    });
    const all = required.discovery!.founders;
    expect(all).toHaveLength(size);
    expect(bootstrapEnvironment({ mode: 'static' }, all).ETCD_INITIAL_CLUSTER?.split(',')).toHaveLength(size);
    // As many may be lost as the guides say: 1, 2, 3.
    expect(size - majority(size)).toBe((size - 1) / 2);
  });

  it('names the etcd for discovery, and files that only etcd reads', () => {
    const text = etcdBootstrap({ state: 'new', token: 't', finds: discoveryEnvironment(DISCOVERY) });
    expect(text.split('\n')).toEqual([
      '# Written by Kubewright.',
      'ETCD_DISCOVERY_ENDPOINTS=https://10.9.0.1:2379,https://etcd.example.com:2379',
      'ETCD_DISCOVERY_TOKEN=a-new-token',
      'ETCD_DISCOVERY_INSECURE_TRANSPORT=false',
      'ETCD_DISCOVERY_CACERT=/etc/etcd/pki/discovery-ca.crt',
      'ETCD_DISCOVERY_CERT=/etc/etcd/pki/discovery.crt',
      'ETCD_DISCOVERY_KEY=/etc/etcd/pki/discovery.key',
      'ETCD_INITIAL_CLUSTER_TOKEN=t',
      'ETCD_INITIAL_CLUSTER_STATE=new',
      '',
    ]);
    expect(bootstrapCertificate(DISCOVERY)?.places).toEqual([
      { host: '10.9.0.1', port: 2379 },
      { host: 'etcd.example.com', port: 2379 },
    ]);
    const plain: DiscoveryByEndpoints = {
      mode: 'discovery',
      endpoints: ['http://10.9.0.1:2379'],
      token: 'a-new-token',
    };
    expect(discoveryEnvironment(plain)).toEqual({
      ETCD_DISCOVERY_ENDPOINTS: 'http://10.9.0.1:2379',
      ETCD_DISCOVERY_TOKEN: 'a-new-token',
    });
    expect(bootstrapCertificate(plain)).toBeNull();
  });
});

describe('options', () => {
  test.each([
    { endpoints: ['10.0.0.5:2379'] },
    { endpoints: ['https://user:pw@10.0.0.5:2379'] },
    { endpoints: ['https://10.0.0.5:2379/path'] },
    { endpoints: ['https://10.0.0.5:70000'] },
    { endpoints: [] },
    { token: 'a/b/c/d/e' },
    { token: 'short' },
    { url: 'discovery.example.com/token' },
    { url: 'https://user:pw@discovery.example.com/token' },
    { credential: { keyFile: '/x' } },
  ])('%o is refused', (more) => expect(bootstrapOption.safeParse({ ...DISCOVERY, ...more }).success).toBe(false));

  const url = 'https://discovery.example.com/0123456789abcdef';
  test.each<[string, object, string, string, RegExp]>([
    ['no endpoints', { endpoints: undefined }, '3.6.14', 'endpoints', /must name the etcd/],
    ['no token', { token: undefined }, '3.6.14', 'token', /missing/],
    ['an etcd that knows only the API of etcd 2', {}, '3.5.21', 'endpoints', /etcd 3\.5\.21 .* began with 3\.6/],
    ['mixed schemes', { endpoints: ['http://a:1', 'https://b:1'] }, '3.6.14', 'endpoints', /all https or all http/],
    ['a certificate for http', { endpoints: ['http://a:1'] }, '3.6.14', 'credential', /cannot be used with http/],
    ['a url beside endpoints', { url }, '3.6.14', 'url', /beside endpoints/],
    [
      'a url where etcd has lost it',
      { url, endpoints: undefined, token: undefined, credential: undefined },
      '3.7.0',
      'url',
      /ended with 3\.6/,
    ],
  ])('%s: the field is named', (_, more, version, field, message) => {
    expect(discoveryIssues({ ...DISCOVERY, ...more } as never, version)).toEqual([
      { path: `spec.phases.etcd.bootstrap.${field}`, message: expect.stringMatching(message) },
    ]);
  });

  it('both ways are taken where etcd has them', () => {
    expect(discoveryIssues(DISCOVERY, '3.6.14')).toEqual([]);
    expect(discoveryIssues({ mode: 'discovery', url }, '3.5.21')).toEqual([]);
    expect(discoveryIssues({ mode: 'discovery', url }, '3.6.14')).toEqual([]);
  });
});

describe('what is registered under a token', () => {
  const claim = registryClaim('demo', 'PEM');
  const founding = { token: 't0ken', claim, founders };
  const key = (name: string, value: string) => ({ key: `/_etcd/registry/t0ken/${name}`, value });
  const own = key('members/1a', 'cp-1=https://10.0.0.1:2380');
  const claimed = key('_config/kubewright', claim);
  const problem = (keys: { key: string; value: string }[], more: object = {}) =>
    registryProblem(registryOf('t0ken', keys), { ...founding, ...more });

  it('nothing, our size, and our own members of an attempt that ended early are no obstacle', () => {
    expect(problem([])).toBeNull();
    expect(problem([key('_config/size', '3')])).toBeNull();
    expect(problem([key('_config/size', '3'), claimed, own])).toBeNull();
  });

  it('other members, another cluster, an earlier life and another number are refused', () => {
    const used = (by: RegExp) => ({ code: 'DISCOVERY_TOKEN_USED', message: expect.stringMatching(by) });
    expect(problem([claimed, key('members/2b', 'db-1=https://10.9.9.9:2380')])).toMatchObject(used(/by db-1=https/));
    // The same name elsewhere is another member.
    expect(problem([claimed, key('members/2b', 'cp-1=https://10.9.9.9:2380')])).toMatchObject(used(/by cp-1=https/));
    expect(problem([key('_config/kubewright', 'other 12')])).toMatchObject(used(/by the cluster other/));
    expect(problem([claimed, own], { claim: registryClaim('demo', 'NEW PEM') })).toMatchObject(used(/earlier life/));
    expect(problem([claimed], { claim: null })).toMatchObject(used(/by the cluster demo/));
    // Another tool registered our members.
    expect(problem([key('_config/size', '3'), own])).toMatchObject(used(/by cp-1=/));
    expect(problem([key('_config/size', '5')])).toMatchObject({
      code: 'DISCOVERY_UNUSABLE',
      message: expect.stringMatching(/for 5 members, and the cluster has 3/),
      evidence: expect.stringContaining('size 5'),
    });
  });
});

/** As curl prints an answer of etcd 3.6: head, body, trailers, and its own last line. */
const HEAD = 'HTTP/2 200 \r\ncontent-type: application/grpc\r\ntrailer: Grpc-Status\r\n\r\n';
const END = '\ncurl-exit: 0 \n';
const hexOf = (...parts: (string | Buffer)[]): string =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string))).toString('hex');
// Recorded: a transaction that read /a/claim, /a/size and /a/x.
const BODY = Buffer.from(
  '00000000690a1a08f9f28deaa589adcab90110d9fab0cba6aefc928401180320021a4b0a490a02180312180a082f612f636c61696d1003180320012a0663203132333412120a072f612f73697a651003180320012a013312130a042f612f781002180220012a0568656c6c6f2003',
  'hex',
);

describe('a call of etcd by curl', () => {
  it('is a transaction that reads, and that would write if a version were below 0', () => {
    const message = readIfWritable({ prefix: '/a/', writes: '/a/s' });
    const bytes = Buffer.from(
      message
        .split('\\')
        .slice(1)
        .map((each) => Number.parseInt(each, 8)),
    );
    expect(bytes.readUInt32BE(1)).toBe(bytes.length - 5);
    expect(bytes.toString('latin1')).toContain('\x0a\x03/a/\x12\x03/a0');
    // printf of every sh makes it, whatever bytes it has.
    expect(execFileSync('sh', ['-c', 'printf "$1"', 'sh', message])).toEqual(bytes);
  });

  it('brings keys, a refusal, another answer, or no answer', () => {
    expect(readTxnAnswer(hexOf(HEAD, BODY, 'grpc-status: 0\r\n', END))).toEqual({
      keys: [
        { key: '/a/claim', value: 'c 1234' },
        { key: '/a/size', value: '3' },
        { key: '/a/x', value: 'hello' },
      ],
    });
    const denied = 'grpc-message: etcdserver: permission denied\r\ngrpc-status: 7\r\n';
    expect(readTxnAnswer(hexOf(HEAD, denied, END))).toEqual({
      status: PERMISSION_DENIED,
      message: 'etcdserver: permission denied',
    });
    expect(readTxnAnswer(hexOf('HTTP/2 404 \r\nserver: x\r\n\r\nnot found', END))).toEqual({ strange: 'HTTP/2 404 ' });
    expect(readTxnAnswer(hexOf('\ncurl-exit: 7 Failed to connect\n'))).toEqual({
      exit: 7,
      message: 'Failed to connect',
    });
    expect(readTxnAnswer('')).toMatchObject({ strange: expect.any(String) });
    // Half a body, and a body that is no message.
    expect(readTxnAnswer(hexOf(HEAD, BODY.subarray(0, 40), 'grpc-status: 0\r\n', END))).toHaveProperty('strange');
    expect(
      readTxnAnswer(hexOf(HEAD, Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff]), 'grpc-status: 0\r\n', END)),
    ).toHaveProperty('strange');
  });
});

describe('preflight', () => {
  const cluster = clusterOf(3);
  const { discovery } = bootstrapDiscovery(cluster, { bootstrap: DISCOVERY, dataDir: '/data' }, 'etcd/formed');
  const of = { cluster, requirements: [{ phase: 'etcd', discovery }], etcdAuthority: null } as never;
  const [one, two] = discovery!.endpoints as [string, string];
  const good = hexOf(HEAD, Buffer.alloc(5), 'grpc-status: 0\r\n', END);

  it('asks each endpoint, and refuses the one that cannot be used', () => {
    expect(check.probe!.args(of)).toEqual(['/data/member', 'registry', expect.stringMatching(/^\\000/), one, two]);
    expect(check.evaluate(of, [])).toEqual([]);
    // Long answers come in parts.
    expect(
      check.evaluate(of, [
        [one, good.slice(0, 20)],
        [two, good],
        [one, good.slice(20)],
      ]),
    ).toEqual([]);
    expect(
      check.evaluate(of, [
        [one, good],
        [two, hexOf('\ncurl-exit: 60 SSL certificate problem\n')],
      ]),
    ).toEqual([
      {
        code: 'DISCOVERY_UNUSABLE',
        message: expect.stringMatching(/etcd\.example\.com:2379 has a certificate that the CA of the credential/),
        evidence: expect.stringMatching(/credential registry: curl ends with 60: SSL certificate problem/),
      },
    ]);
  });

  it('shows the client certificate to curl only: in no argument, and in no file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kubewright-curl-'));
    try {
      writeFileSync(
        join(folder, 'curl'),
        '#!/bin/sh\necho "$*"\nwhile [ $# -gt 0 ]; do case $1 in --cacert | --cert | --key) cat "$2"; shift ;; esac; shift; done\n',
        { mode: 0o755 },
      );
      const opened = { ca: 'THE CA\n', certificate: 'THE CERTIFICATE', privateKey: secretText('$THE `KEY`\n') };
      const script = `${certificateFunctions(new Map([['my-registry', opened]]))}\ncurl_as my-registry -s url\ncurl_as - -s url`;
      const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
      const lines = execFileSync('sh', ['-eu'], { input: script, env, encoding: 'utf8' }).trim().split('\n');
      expect(lines).toEqual([
        expect.not.stringContaining('THE'),
        ...['THE CA', 'THE CERTIFICATE', '$THE `KEY`'],
        '-q --noproxy * -s url',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('preflight of a discovery URL', () => {
  const url = 'https://discovery.example.com/0123456789abcdef';
  const cluster = clusterOf(3);
  const { discovery } = bootstrapDiscovery(cluster, { bootstrap: { mode: 'discovery', url }, dataDir: '/data' }, 'f');
  const of = (etcdAuthority: string | null = null) =>
    ({ cluster, requirements: [{ phase: 'etcd', discovery }], etcdAuthority }) as never;
  const row = (kind: string, body: string, exit = '0 ') => [kind, hexOf(body, `\ncurl-exit: ${exit}\n`)];
  const size = (value: string) =>
    row('size', JSON.stringify({ action: 'get', node: { key: '/t/_config/size', value } }));
  const members = (...values: string[]) =>
    row('members', JSON.stringify({ node: { key: '/t', nodes: values.map((value) => ({ key: '/t/1', value })) } }));
  const missing = JSON.stringify({ errorCode: 100, message: 'Key not found' });
  const own = 'cp-1=https://10.0.0.1:2380';

  it('is for that only, and asks for size and members', () => {
    expect(check.probe!.args(of())).toBeNull();
    expect(checkUrl.probe!.args(of())).toEqual(['/data/member', url]);
    expect(checkUrl.evaluate(of(), [size('3'), members()])).toEqual([]);
    // Registered by a run that ended early: the cluster has its authority since.
    expect(checkUrl.evaluate(of('PEM'), [size('3'), members(own)])).toEqual([]);
  });

  it.each<[string, string[][], string, RegExp]>([
    ['no answer', [row('size', '', '7 refused'), members()], 'DISCOVERY_UNUSABLE', /cannot be asked/],
    ['another server', [row('size', '<html>'), members()], 'DISCOVERY_UNUSABLE', /not answer with the API of etcd 2/],
    ['no size', [row('size', missing), members()], 'DISCOVERY_UNUSABLE', /has no size/],
    ['another size', [size('5'), members()], 'DISCOVERY_UNUSABLE', /for 5 members, and the cluster has 3/],
    ['others', [size('3'), members('x=https://10.9.9.9:2380')], 'DISCOVERY_TOKEN_USED', /by x=https/],
    ['an earlier life', [size('3'), members(own)], 'DISCOVERY_TOKEN_USED', /by cp-1=https/],
  ])('%s is refused', (_, rows, code, message) => {
    expect(checkUrl.evaluate(of(), rows)).toMatchObject([{ code, message: expect.stringMatching(message) }]);
  });
});
