import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { RemoteHost } from '../../../activities/host/types.ts';
import { caCertHash } from '../../../activities/kube/kubeadm.ts';
import type { ControlPlaneResource } from '../../../activities/phases/kubeadm/control-plane-resource.ts';
import kubeadm from '../../../activities/phases/kubeadm/phase.ts';
import { workerJoin } from '../../../activities/phases/kubeadm/public.ts';
import { IS_WHOLE } from '../../../activities/phases/kubeadm/scripts.ts';
import nodes from '../../../activities/phases/kubeadm-nodes/phase.ts';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import type { FileResource } from '../../../activities/resources/file.ts';
import { type ApplyContext, plainText } from '../../../activities/resources/resource.ts';
import { sampleContext } from '../../golden/golden.ts';

const engine = { engine: 'kubeadm' as const };
const hosts = [
  { name: 'cp-1', address: '10.20.0.11', roles: ['control-plane', 'etcd', 'registry'] },
  { name: 'cp-2', address: '10.20.0.12', roles: ['control-plane', 'etcd'] },
  { name: 'cp-3', address: '10.20.0.13', roles: ['control-plane', 'etcd'] },
  { name: 'worker-1', address: '10.20.0.14', roles: ['worker'] },
];
const documents = (text: string) => parseAllDocuments(text).map((each) => each.toJS() as Record<string, unknown>);

describe('the join of a control plane', () => {
  it('its configuration is that of the others, so that a host takes no name of another from it', async () => {
    const configOf = async (host: string) => {
      const resources = (await kubeadm.resources!(
        await sampleContext(kubeadm, { engine, hosts, host }),
      )) as readonly FileResource[];
      const file = resources.find(({ id }) => id === '/etc/kubernetes/kubeadm.yaml')!;
      return documents(plainText(file.content))[1];
    };
    expect(await configOf('cp-2')).toEqual(await configOf('cp-1'));
    expect(await configOf('cp-2')).toMatchObject({ kind: 'ClusterConfiguration' });
  });

  /** kubeadm's calls while cp-2, with two addresses, joins. `names`: in the certificate that the join leaves; null: there is none. */
  async function joins(
    names: ((own: readonly string[]) => readonly string[]) | null,
    traces: readonly string[] = [],
  ): Promise<string[]> {
    const own = hosts.map((host) =>
      host.name === 'cp-2' ? { ...host, address: '203.0.113.12', internalAddress: host.address } : host,
    );
    const ca = await issueCa('kubernetes', new Date());
    const context = await sampleContext(kubeadm, { engine, hosts: own, host: 'cp-2' });
    const pki = { ...context.pki, ca: async () => ca.cert };
    const resources = (await kubeadm.resources!({ ...context, pki })) as readonly { kind: string }[];
    const resource = resources.find(({ kind }) => kind === 'kubeadm-control-plane') as ControlPlaneResource;
    const left = names === null ? resource.names : names(resource.names);
    const isAddress = (name: string) => /^[0-9.]+$/.test(name);
    const leaf = await issueLeaf(
      ca,
      {
        ...{ authority: 'kubernetes', name: 'apiserver', commonName: 'kube-apiserver', usages: ['server'] },
        dnsNames: left.filter((name) => !isAddress(name)),
        ipAddresses: left.filter(isAddress),
      },
      new Date(),
    );
    const ran: string[] = [];
    const said = { code: 0, stdout: '', stderr: '', durationMs: 1, truncated: false };
    const host = {
      exec: async (argv: readonly string[], { okCodes }: { okCodes?: unknown } = {}) => {
        if (argv[1] !== 'config') ran.push(argv.slice(0, 5).join(' '));
        if (argv[0] === 'cat' && names === null) {
          if (okCodes !== 'any') throw new Error('cat: No such file or directory');
          return { ...said, code: 1 };
        }
        return { ...said, stdout: argv[0] === 'cat' ? leaf.cert : '' };
      },
      script: async (text: string) => ({ ...said, stdout: text === IS_WHOLE ? 'whole\n' : '' }),
      upload: async () => undefined,
    };
    const plane = { ...host, name: 'cp-1' };
    const apply = { host, controlPlane: async () => plane, onStep: () => undefined } as unknown as ApplyContext;
    await resource.begin(apply, { applied: null, manifestsAsWritten: false, traces, names: [] });
    return ran.filter((line) => !line.startsWith('cat ')).map((line) => line.replace('/usr/local/bin/', ''));
  }
  const join = 'kubeadm join --config /run/kubewright-kubeadm-join.yaml';
  const upload = 'kubeadm init phase upload-config all';

  it('makes its certificate again where that has not the names of the host', async () => {
    expect(await joins((own) => own)).toEqual([join, upload]);
    expect(await joins((own) => own.filter((name) => name !== '203.0.113.12'))).toEqual([
      ...[join, 'rm -f -- /etc/kubernetes/pki/apiserver.crt /etc/kubernetes/pki/apiserver.key'],
      ...['kubeadm init phase certs apiserver', upload],
    ]);
  });
  it('so it is where it was interrupted right after its join', async () => {
    const traces = ['/etc/kubernetes/kubelet.conf'];
    expect(await joins((own) => own, traces)).toEqual([upload]);
    // Between the removal of the certificate and the next one.
    expect(await joins(null, traces)).toEqual([
      ...['rm -f -- /etc/kubernetes/pki/apiserver.crt /etc/kubernetes/pki/apiserver.key'],
      ...['kubeadm init phase certs apiserver', upload],
    ]);
    expect(await joins((own) => [...own, 'cp-1'], traces)).toEqual([
      ...['rm -f -- /etc/kubernetes/pki/apiserver.crt /etc/kubernetes/pki/apiserver.key'],
      ...['kubeadm init phase certs apiserver', upload],
    ]);
  });
});

describe('the join of a worker', () => {
  /** Uploads and commands of a join, by host. `joinCode`: how `kubeadm join` ends. */
  async function joined(joinCode = 0) {
    const context = await sampleContext(nodes, { engine, hosts, host: 'worker-1' });
    const { cert } = await issueCa('test CA', new Date());
    const uploads = new Map<string, { text: string; mode: number | undefined; secrets: readonly string[] }>();
    const ran: string[] = [];
    const host = (name: string): RemoteHost => ({
      name,
      exec: async (argv) => {
        ran.push(`${name}: ${argv.slice(0, 2).join(' ')}`);
        return { code: argv[1] === 'join' ? joinCode : 0, stdout: 'said', stderr: '', durationMs: 1, truncated: false };
      },
      script: async (_text, args = []) => {
        ran.push(`${name}: script ${args.join(' ')}`);
        return { code: 0, stdout: '', stderr: '', durationMs: 1, truncated: false };
      },
      upload: async (path, content, { mode, secrets = [] } = {}) => {
        uploads.set(`${name}:${path}`, { text: String(content), mode, secrets });
      },
    });
    const { join } = workerJoin({ ...context, pki: { ...context.pki, ca: async () => cert } });
    const apply = { host: host('worker-1'), controlPlane: async () => host('cp-2'), onStep: () => undefined };
    const ended = await join(apply as unknown as ApplyContext, []).then(() => null, String);
    const of = (place: string) => uploads.get([...uploads.keys()].find((key) => key.startsWith(place))!)!;
    return { cert, ended, ran, token: of('cp-2:/run/'), config: of('worker-1:/run/') };
  }

  it('has a token that the control plane makes with its own API server, and pins the authority', async () => {
    const { cert, ended, token, config } = await joined();
    expect(ended).toBeNull();
    const [init] = documents(token.text);
    expect(init).toMatchObject({ kind: 'InitConfiguration', localAPIEndpoint: { advertiseAddress: '10.20.0.12' } });
    const [own] = documents(config.text);
    const [{ token: made }] = init!['bootstrapTokens'] as [{ token: string }];
    expect(made).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
    expect(own).toMatchObject({
      kind: 'JoinConfiguration',
      discovery: {
        bootstrapToken: { token: made, apiServerEndpoint: '10.20.0.12:6443', caCertHashes: [caCertHash(cert)] },
      },
    });
    for (const file of [token, config])
      expect(file).toMatchObject({ mode: 0o600, secrets: expect.arrayContaining([made]) });
  });

  it('deletes token and files, also after a join that failed', async () => {
    const { ended, ran, token } = await joined(1);
    const [{ token: made }] = documents(token.text)[0]!['bootstrapTokens'] as [{ token: string }];
    expect(ended).toMatch(/worker-1 could not join the cluster/);
    expect(ran.slice(-2)).toEqual([
      expect.stringMatching(/^worker-1: script \/run\//),
      expect.stringContaining(`cp-2: script ${made.slice(0, 6)} /run/`),
    ]);
    expect(ran.join()).not.toContain(made);
  });
});
