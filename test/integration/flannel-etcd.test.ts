import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ETCD_BY_ID } from '../../activities/kube/etcd-grpc.ts';
import { callEtcd } from '../../activities/phases/flannel/etcd-calls.ts';
import { CALLS, deleteKeys, put } from '../../activities/phases/flannel/etcd-requests.ts';
import { keepNetwork } from '../../activities/phases/flannel-etcd/keep.ts';
import { offerOf } from '../../activities/phases/offers.ts';
import type { PhaseRun } from '../../activities/phases/phase.ts';
import { loadPhases } from '../../activities/phases/phase-loader.ts';
import { secretText } from '../../activities/resources/resource.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import { type LabEtcd, startEtcd, stopEtcds } from '../../lab/etcd-server.ts';
import { labOfRef, labPaths } from '../../lab/paths.ts';
import { fakePki, sampleCluster } from '../golden/golden.ts';

/** Subnets of flannel in a real etcd: one of the cluster's own, which gets users, and one of the user, which has some. */

const lab = { name: 'kxif', sshKey: labPaths('kxif').sshKey };
const phases = await loadPhases();
const PKI = '/etc/kubernetes/pki';
const LEASE = JSON.stringify({ PublicIP: '10.20.0.12', BackendType: 'vxlan' });
let own: LabEtcd;
let foreign: LabEtcd;
let folder = '';

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kw-flannel-etcd-'));
  const address = '127.0.0.1';
  own = await startEtcd(lab, { address, port: 23_840, label: 'own' });
  foreign = await startEtcd(lab, {
    ...{ address, port: 23_850, label: 'foreign' },
    users: [
      { name: 'net', grants: [{ prefix: '/net/', permission: 'readwrite' }] },
      { name: 'stranger', grants: [{ prefix: '/elsewhere/', permission: 'readwrite' }] },
    ],
  });
  for (const [file, user] of [
    ['apiserver-etcd-client', 'kube-apiserver-etcd-client'],
    ['flannel-etcd', 'kubewright-flannel'],
    ['worker', 'some-worker'],
  ] as const) {
    const { cert, key } = await own.client(user);
    writeFileSync(join(folder, `${file}.crt`), cert);
    writeFileSync(join(folder, `${file}.key`), key);
  }
  writeFileSync(join(folder, 'etcd-ca.crt'), own.ca);
}, 90_000);
afterAll(async () => {
  await stopEtcds(labOfRef(lab));
  await own?.stop();
  await foreign?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a script as a host does, with the certificates of this test in the place of the host's. */
const remote = {
  name: 'cp-1',
  script: async (text: string, args: readonly string[] = []) => {
    const child = spawn('sh', ['-u', '-s', '--', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(text.replaceAll(PKI, folder));
    const parts: Buffer[] = [];
    for await (const part of child.stdout) parts.push(part as Buffer);
    return { stdout: Buffer.concat(parts).toString(), stderr: '', code: 0 };
  },
};

interface Setting {
  flannel?: Record<string, unknown>;
  mode?: 'apply' | 'check';
  external?: { url: string; user: string };
}

async function keep({ flannel = {}, mode = 'apply', external }: Setting = {}): Promise<string[]> {
  const cluster = sampleCluster({
    ...(external
      ? {
          hosts: [
            { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'worker'] },
            { name: 'worker-1', address: '10.20.0.12', roles: ['worker'] },
          ],
        }
      : {}),
    phases: {
      flannel: { subnetManager: 'etcd', ...flannel },
      ...(external
        ? { etcd: { bootstrap: { mode: 'external', endpoints: [external.url], credential: { name: 'api' } } } }
        : {}),
    },
  });
  const run = {
    ...{ cluster, mode, remote, pki: fakePki, host: cluster.spec.hosts[0]! },
    offer: (capability: never) => {
      const offered = offerOf({ cluster, phases }, capability) as object;
      return external ? offered : { ...offered, servers: ['https://127.0.0.1:1', own.url] };
    },
    clientCertificate: async () => {
      const { cert, key } = await foreign.client(external!.user);
      return { certificate: cert, privateKey: secretText(key), ca: foreign.ca };
    },
    fail: (code: 'INTERNAL', message: string, evidence?: string) => {
      throw new KubewrightError(code, message, evidence === undefined ? {} : { evidence });
    },
  } as unknown as PhaseRun<unknown>;
  return (await keepNetwork(run)).map(({ resource, action }) => `${action} ${resource}`);
}

const files = (name: string) => ({ ca: `${PKI}/etcd-ca.crt`, cert: `${PKI}/${name}.crt`, key: `${PKI}/${name}.key` });
const asNode = (path: string, message: Uint8Array, who = 'flannel-etcd') =>
  callEtcd(remote as never, { access: files(who), endpoints: [own.url], calls: [{ path, message }] });

describe('in the etcd of the cluster', () => {
  it('a dry run says what would be made, and makes nothing', async () => {
    const planned = ['create etcd-users', 'create etcd-key:/kubewright/flannel/config'];
    expect(await keep({ mode: 'check' })).toEqual(planned);
    expect(await own.ctl('get', '', '--prefix', '--keys-only')).toBe('');
  });

  it('makes users and the configuration, through the endpoint that answers; again, nothing', async () => {
    expect(await keep()).toEqual(['create etcd-users', 'create etcd-key:/kubewright/flannel/config']);
    expect(await keep()).toEqual([]);
    const config = await own.ctl('get', '--print-value-only', '/kubewright/flannel/config');
    expect(JSON.parse(config)).toMatchObject({ Network: '10.244.0.0/16', SubnetLen: 24, Backend: { Type: 'vxlan' } });
  });

  it('a node writes and removes its own keys, and nothing else of the etcd', async () => {
    const lease = '/kubewright/flannel/subnets/10.244.7.0-24';
    expect(await asNode(CALLS.put, put(lease, LEASE))).toEqual([{ message: expect.anything() }]);
    expect(await asNode(CALLS.deleteRange, deleteKeys(lease))).toEqual([{ message: expect.anything() }]);
    const denied = [{ code: 7, why: expect.stringContaining('permission denied') }];
    expect(await asNode(CALLS.put, put('/registry/secrets/x', 'y'))).toEqual(denied);
    expect(await asNode(CALLS.range, deleteKeys('/registry/', '/registry0'))).toEqual(denied);
    expect(await asNode(CALLS.userAdd, put('mallory', ''))).toEqual(denied);
    // A certificate of the authority whose name is no user.
    expect(await asNode(CALLS.range, deleteKeys('/registry/'), 'worker')).toEqual([
      { code: expect.any(Number), why: expect.stringMatching(/permission denied|user/) },
    ]);
  });

  it('leases of hosts that have left go, those of nodes stay; another backend is another configuration', async () => {
    const key = (part: string) => `/kubewright/flannel/subnets/${part}`;
    await asNode(CALLS.put, put(key('10.244.1.0-24'), LEASE));
    await asNode(CALLS.put, put(key('10.244.2.0-24'), LEASE.replace('10.20.0.12', '10.20.0.99')));
    await asNode(CALLS.put, put(key('10.244.3.0-24'), 'no JSON'));
    expect(await keep({ flannel: { backend: 'host-gw' } })).toEqual([
      'update etcd-key:/kubewright/flannel/config',
      `remove etcd-key:${key('10.244.2.0-24')}`,
    ]);
    const left = await own.ctl('get', key(''), '--prefix', '--keys-only');
    expect(left.split('\n').filter((line) => line !== '')).toEqual([key('10.244.1.0-24'), key('10.244.3.0-24')]);
  });

  it('members are removed by root alone, with users as without', async () => {
    const remove = async (who: string) => {
      const { ca, cert, key } = files(who);
      const curl = `curl -q --noproxy '*' -sS -m 5 --cacert ${ca} --cert ${cert} --key ${key}`;
      const script = `ask() { ${curl} "$@"; }\nvia=${own.url}\n${ETCD_BY_ID}\netcd_by_id /etcdserverpb.Cluster/MemberRemove 18446744073709551615 ask`;
      return (await remote.script(script)).stdout;
    };
    expect(await remove('apiserver-etcd-client')).toMatch(/member not found/);
    expect(await remove('flannel-etcd')).toMatch(/permission denied/);
  });
});

describe('in an etcd of the user', () => {
  const at = (user: string, flannel: object = {}): Setting => ({
    external: { url: foreign.url, user },
    flannel: { etcdCredential: { name: 'net' }, etcdPrefix: '/net/one', ...flannel },
  });

  it('claims the prefix and writes the configuration; again, nothing', async () => {
    expect(await keep(at('net'))).toEqual(['create etcd-prefix:/net/one', 'create etcd-key:/net/one/config']);
    expect(await keep(at('net'))).toEqual([]);
  });

  it('refuses keys of others', async () => {
    await foreign.ctl('put', '/net/two/config', '{}');
    await expect(keep(at('net', { etcdPrefix: '/net/two' }))).rejects.toMatchObject({
      code: 'EXTERNAL_ETCD_IN_USE',
      message: expect.stringContaining('/net/two/'),
    });
  });

  it('says that the user may not', async () => {
    await expect(keep(at('stranger'))).rejects.toMatchObject({
      code: 'EXTERNAL_ETCD_FORBIDDEN',
      message: expect.stringContaining('permission denied'),
    });
  });
});
