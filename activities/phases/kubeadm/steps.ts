import { internalAddress } from '../../../contracts/cluster.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { KUBEADM_ENV } from '../../kube/kubeadm.ts';
import { KUBECTL_ENV } from '../../kube/kubectl.ts';
import { ETCD_PEER_PORT } from '../../kube/paths.ts';
import type { ApplyContext } from '../../resources/resource.ts';
import * as master from '../master/public.ts';
import type { PhaseContext } from '../phase.ts';
import type { ClusterPart, HostPart } from './config.ts';
import type { ControlPlaneState } from './control-plane-resource.ts';
import { certificateNames, namesProblem } from './control-plane-resource.ts';
import { joinHost, runKubeadm } from './join.ts';
import { KUBEADM_FILES as FILES } from './paths.ts';
import { DELETE_TOKENS, IS_WHOLE, WAIT_PODS, WRITE_RECORD } from './scripts.ts';

/** A note of the cluster: it was founded, so no other host founds it. */
const FOUNDED = 'kubeadm/founded';
/** kubeadm waits four minutes for static pods, whose images are pulled meanwhile. */
const INIT_MS = 10 * 60_000;

/** Above RBAC: the bindings of the administrator come after the first static pods. */
const ENV = { ...KUBECTL_ENV, ...KUBEADM_ENV, KUBECONFIG: master.CONTROL_PLANE.superAdminKubeconfig };

/** What a control plane is to be. */
export interface ControlPlanePlan {
  context: PhaseContext<master.MasterOptions>;
  host: HostPart;
  cluster: ClusterPart;
  /** Digests of the configuration, of etcd's part of it, and of each static pod. */
  config: string;
  etcd: string;
  pods: ReadonlyMap<string, string>;
  names: readonly string[];
  stacked: boolean;
}

/** Founds the cluster on this host, when no other control plane did; otherwise joins it. Continues what was interrupted. */
export async function begin(plan: ControlPlanePlan, apply: ApplyContext, { traces }: ControlPlaneState): Promise<void> {
  const { context } = plan;
  const { clusterState, host } = context;
  if (traces.length > 0 && (await isWhole(plan, apply))) {
    await correctNames(plan, apply);
    return finish(plan, apply);
  }
  const founded = (await clusterState.get(FOUNDED)) !== null;
  if (founded || (await anotherServes(apply))) {
    await joinHost(context, apply, traces, {
      host: plan.host,
      cluster: plan.cluster,
      controlPlane: true,
      stacked: plan.stacked,
    });
    await correctNames(plan, apply);
  } else {
    await init(plan, apply, traces);
    await clusterState.set(FOUNDED, host.name);
  }
  await finish(plan, apply);
}

async function anotherServes(apply: ApplyContext): Promise<boolean> {
  try {
    await apply.controlPlane();
    return true;
  } catch (error) {
    if (KubewrightError.is(error) && error.code === 'APISERVER_NOT_READY') return false;
    throw error;
  }
}

async function isWhole({ context, stacked }: ControlPlanePlan, { host: remote }: ApplyContext): Promise<boolean> {
  const peer = stacked ? peerUrl(context) : '';
  const { stdout } = await remote.script(IS_WHOLE, [context.host.name, peer], {
    ...{ env: ENV, timeoutMs: 60_000 },
  });
  return stdout.trim() === 'whole';
}

const peerUrl = ({ host }: PhaseContext<unknown>): string => `https://${internalAddress(host)}:${ETCD_PEER_PORT}`;

/** What kubeadm's preflight finds of an attempt that was interrupted: the files are of our own configuration, and it takes them over. */
const INTERRUPTED = [
  ...['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd'].map(
    (name) => `FileAvailable--etc-kubernetes-manifests-${name}.yaml`,
  ),
  ...['DirAvailable--etc-kubernetes-manifests', 'DirAvailable--var-lib-etcd'],
  ...['6443', '10257', '10259', '10250', '2379', '2380'].map((port) => `Port-${port}`),
];

async function init(
  { context, cluster }: ControlPlanePlan,
  apply: ApplyContext,
  traces: readonly string[],
): Promise<void> {
  apply.onStep('kubeadm init');
  const dataDir = 'local' in cluster.etcd ? cluster.etcd.local.dataDir : '';
  const ignored = [...INTERRUPTED, `DirAvailable-${dataDir.replaceAll('/', '-')}`];
  // In the file are those that the host always has; the flag adds to them.
  const more = traces.length > 0 ? [`--ignore-preflight-errors=${ignored.join(',')}`] : [];
  await runKubeadm(apply.host, ['init', '--config', FILES.config, '--skip-token-print', ...more], {
    ...{ what: `${context.host.name} could not found the cluster`, timeoutMs: INIT_MS },
  });
  await apply.host.script(DELETE_TOKENS, [], { env: ENV, timeoutMs: 60_000 });
}

/** Brings the static pods to the configuration of today, uploads it, and waits until they run from it. */
export async function change(plan: ControlPlanePlan, apply: ApplyContext, state: ControlPlaneState): Promise<void> {
  const { context, stacked } = plan;
  const what = `the control plane of ${context.host.name} could not be changed`;
  const phase = (...words: string[]) =>
    runKubeadm(apply.host, ['init', 'phase', ...words, '--config', FILES.config], { what, timeoutMs: 120_000 });
  if (namesProblem(plan.names, state.names) !== null) await makeCertificate(plan, apply);
  if (state.applied?.config === plan.config && state.manifestsAsWritten) return uploadConfig(apply);
  apply.onStep('kubeadm init phase control-plane');
  const wait = master.waitForAnother(context.host, context.peers, context.window);
  if (wait !== '')
    await apply.host.script(`kw_fail() { printf '%s: %s\\n' "$1" "$2" >&2; }\n${wait}`, [], { timeoutMs: 60_000 });
  if (stacked && (state.applied?.etcd !== plan.etcd || !state.manifestsAsWritten)) await phase('etcd', 'local');
  await phase('control-plane', 'all');
  await finish(plan, apply);
}

/** kubeadm makes no certificate where there is one. The API server reads the new one by itself. */
async function makeCertificate({ context }: ControlPlanePlan, { host }: ApplyContext): Promise<void> {
  await host.exec(['rm', '-f', '--', `${FILES.apiServerCert}.crt`, `${FILES.apiServerCert}.key`]);
  await runKubeadm(host, ['init', 'phase', 'certs', 'apiserver', '--config', FILES.config], {
    what: `the certificate of the API server of ${context.host.name} could not be made`,
    timeoutMs: 120_000,
  });
}

/** A join takes the names of the control plane that wrote the cluster's configuration last: this host may have other addresses. */
async function correctNames(plan: ControlPlanePlan, apply: ApplyContext): Promise<void> {
  // An attempt that was interrupted may have removed it: then it has no names.
  const { stdout } = await apply.host.exec(['cat', `${FILES.apiServerCert}.crt`], { okCodes: 'any' });
  if (namesProblem(plan.names, certificateNames(stdout)) !== null) await makeCertificate(plan, apply);
}

/** The pods run; the cluster's copy of the configuration is that of today; the host says so. */
async function finish(plan: ControlPlanePlan, apply: ApplyContext): Promise<void> {
  const { context, pods } = plan;
  apply.onStep('wait for the static pods');
  const { code, stderr } = await apply.host.script(WAIT_PODS, [context.host.name, ...[...pods].flat()], {
    ...{ env: ENV, okCodes: 'any', timeoutMs: 300_000 },
  });
  if (code !== 0) {
    throw new KubewrightError(
      'APISERVER_NOT_READY',
      `the static pods of ${context.host.name} do not run from their configuration`,
      {
        evidence: stderr.slice(-2_000),
      },
    );
  }
  await uploadConfig(apply);
  await apply.host.script(WRITE_RECORD, [FILES.record, plan.config, plan.etcd], { timeoutMs: 30_000 });
}

/** The cluster's copy of the configuration, which joins and upgrades read. */
const uploadConfig = ({ host }: ApplyContext): Promise<void> =>
  runKubeadm(host, ['init', 'phase', 'upload-config', 'all', '--config', FILES.config], {
    ...{ what: 'the configuration could not be uploaded', timeoutMs: 120_000 },
  });
