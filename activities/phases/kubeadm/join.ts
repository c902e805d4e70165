import { randomInt } from 'node:crypto';
import { internalAddress } from '../../../contracts/cluster.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import type { Host } from '../../../contracts/host.ts';
import type { Change } from '../../../contracts/operation.ts';
import type { RemoteHost } from '../../host/types.ts';
import { caCertHash, KUBEADM_BINARY, KUBEADM_ENV } from '../../kube/kubeadm.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { API_SERVER_PORT, ETCD_PEER_PORT } from '../../kube/paths.ts';
import type { ApplyContext } from '../../resources/resource.ts';
import { apiServerUrl } from '../capabilities/control-plane-endpoint.ts';
import type { PhaseContext } from '../phase.ts';
import { type ClusterPart, type HostPart, joinFile, tokenFile } from './config.ts';
import { KUBEADM_FILES as FILES } from './paths.ts';
import { END_JOIN, PREPARE_JOIN } from './scripts.ts';

/** kubeadm waits four minutes for the kubelet and as long for each static pod. */
const JOIN_MS = 10 * 60_000;
/** What kubeadm says last is what went wrong. */
const EVIDENCE_CHARS = 3_000;

interface Join {
  host: HostPart;
  cluster: ClusterPart;
  controlPlane: boolean;
  /** Its member leaves etcd first, when there is one of an earlier life. */
  stacked: boolean;
}

/**
 * The host joins through a control plane that serves: that one makes a token for this join alone, and deletes it afterwards. The token
 * travels in files only, which go as well. `traces`: what an interrupted join left; the host is reset first, with our
 * certificates kept. Throws KUBEADM_FAILED with what kubeadm said.
 */
export async function joinHost(
  context: PhaseContext<unknown>,
  apply: ApplyContext,
  traces: readonly string[],
  { host: part, cluster, controlPlane, stacked }: Join,
): Promise<void> {
  const { host } = context;
  const plane = await apply.controlPlane();
  if (traces.length > 0) {
    apply.onStep('kubeadm reset');
    await reset(apply.host, part.criSocket);
  }
  const token = newToken();
  const [id = ''] = token.split('.');
  const secrets = [token, token.slice(id.length + 1)];
  // kubeadm asks the API server of the configuration, which has to be that of the host where it runs.
  const onPlane: HostPart = { ...part, name: plane.name, advertiseAddress: internalIpv4(hostOf(context, plane.name)) };
  const file = `/run/kubewright-kubeadm-token-${host.name}.yaml`;
  const peer = stacked && controlPlane ? `https://${internalAddress(host)}:${ETCD_PEER_PORT}` : '';
  const changes = (detail: string): Change[] => [{ resource: `bootstrap-token:${id}`, action: 'run', detail }];
  try {
    apply.onStep('token for the join');
    await plane.upload(file, tokenFile(onPlane, cluster, token), { mode: 0o600, secrets, changes: changes('made') });
    await plane.script(PREPARE_JOIN, [host.name, peer, apiServerUrl(context), file, id], {
      ...{
        env: KUBEADM_ENV_OF_PLANE,
        secrets,
        timeoutMs: 180_000,
        changes: changes(`made for the join of ${host.name}`),
      },
    });
    const apiServer = `${internalAddress(hostOf(context, plane.name))}:${API_SERVER_PORT}`;
    const ca = caCertHash(await context.pki.ca('kubernetes'));
    await apply.host.upload(FILES.join, joinFile(part, { apiServer, token, caCertHash: ca, controlPlane }), {
      ...{ mode: 0o600, secrets },
    });
    apply.onStep('kubeadm join');
    await runKubeadm(apply.host, ['join', '--config', FILES.join], {
      ...{ what: `${host.name} could not join the cluster`, secrets, timeoutMs: JOIN_MS },
    });
  } finally {
    await apply.host.script('rm -f -- "$1"', [FILES.join]).catch(() => undefined);
    // A token that stays here expires within minutes.
    await plane
      .script(END_JOIN, [id, file], { env: KUBEADM_ENV_OF_PLANE, secrets, changes: changes('deleted') })
      .catch(() => undefined);
  }
}

const KUBEADM_ENV_OF_PLANE = { PATH: KUBEADM_ENV.PATH };

function hostOf({ cluster }: PhaseContext<unknown>, name: string): Host {
  return cluster.spec.hosts.find((each) => each.name === name)!;
}

/** kubeadm validates its file first: a wrong one changes nothing. Throws KUBEADM_FAILED with what it said. */
export async function runKubeadm(
  remote: RemoteHost,
  [verb = '', ...args]: readonly string[],
  { what, secrets = [], timeoutMs }: { what: string; secrets?: readonly string[]; timeoutMs: number },
): Promise<void> {
  const config = args[args.indexOf('--config') + 1];
  const calls = [
    ...(args.includes('--config') && config ? [[KUBEADM_BINARY, 'config', 'validate', '--config', config]] : []),
    [KUBEADM_BINARY, verb, ...args],
  ];
  for (const argv of calls) {
    const { code, stdout, stderr } = await remote.exec(argv, {
      ...{ env: KUBEADM_ENV, okCodes: 'any', timeoutMs, secrets, maxOutputBytes: 256 * 1024 },
    });
    if (code === 0) continue;
    const said = `${stdout}\n${stderr}`.trim();
    throw new KubewrightError('KUBEADM_FAILED', `${what}: kubeadm ${argv.slice(1, 3).join(' ')} failed`, {
      evidence: said.slice(-EVIDENCE_CHARS),
    });
  }
}

/** Takes back a join that did not come to its end. Our certificates stay: they are no folder of kubeadm's here. */
async function reset(remote: RemoteHost, criSocket: string): Promise<void> {
  const argv = [
    'reset',
    '--force',
    '--cri-socket',
    `unix://${criSocket}`,
    '--cert-dir',
    '/run/kubewright-no-certificates',
  ];
  await runKubeadm(remote, argv, { what: 'an interrupted join could not be taken back', timeoutMs: 180_000 });
}

/** As kubeadm's: `[a-z0-9]{6}.[a-z0-9]{16}`. */
function newToken(): string {
  const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
  const word = (length: number) => Array.from({ length }, () => letters[randomInt(letters.length)]).join('');
  return `${word(6)}.${word(16)}`;
}
