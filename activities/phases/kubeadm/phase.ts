import { stringify } from 'yaml';
import { type ClusterSpec, internalAddress } from '../../../contracts/cluster.ts';
import { CURL } from '../../host/direct.ts';
import { kubernetesBinaries } from '../../kube/binaries.ts';
import * as identities from '../../kube/identities.ts';
import { installAll } from '../../kube/install.ts';
import { WAIT_URL, waitUrl } from '../../kube/lib.ts';
import { localApiServer } from '../../kube/options/control-plane.ts';
import * as paths from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { bootstrapRbac } from '../../kube/rbac.ts';
import { digestOfParts, short } from '../../resources/digest.ts';
import { directory } from '../../resources/directory.ts';
import { kindOf } from '../../resources/engine/resource-kinds.ts';
import { file } from '../../resources/file.ts';
import { manifests } from '../../resources/manifests.ts';
import type { Resource } from '../../resources/resource.ts';
import { controlPlane } from '../capabilities/control-plane.ts';
import { ETCD } from '../etcd/public.ts';
import * as master from '../master/public.ts';
import { definePhase, type PhaseContext, type PhaseRun } from '../phase.ts';
import { requirementsOfCluster } from '../requires.ts';
import { authenticationConfig } from './authentication-config.ts';
import { type ClusterPart, initFile } from './config.ts';
import { kubeadmControlPlane } from './control-plane-resource.ts';
import { kubeadmIssues } from './issues.ts';
import * as parts from './parts.ts';
import { KUBEADM_FILES as FILES } from './paths.ts';
import { CONFIG_ANNOTATION } from './scripts.ts';
import { begin, type ControlPlanePlan, change } from './steps.ts';

type Options = master.MasterOptions;

const SECRET = { mode: 0o600 };
const { CONTROL_PLANE } = master;

/**
 * Control planes as kubeadm makes them: static pods, one host after the other. Authorities are those of the cluster, from our store; other
 * certificates are kubeadm's, and are renewed by it.
 */
export default definePhase({
  name: 'kubeadm',
  title: 'Control plane (kubeadm)',
  hosts: 'control-plane',
  sharesOptionsWith: 'master',
  offers: [
    controlPlane.offer(() => ({
      certificateFiles: [`${FILES.apiServerCert}.crt`, `${FILES.apiServerCert}.key`, FILES.config],
    })),
  ],
  needs: [
    { phase: 'binaries', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
    // The kubelet starts the static pods, whose images come from the registry.
    { phase: 'container-runtime', on: 'same-host' },
    { phase: 'kubeadm-kubelet', on: 'same-host' },
    { phase: 'registry', on: 'every-host' },
    { phase: 'kubernetes-store', on: 'quorum' },
  ],
  // Each joins through those that serve, and etcd takes one new member at a time.
  rollout: 'one-by-one',
  dependsOnAddressesOf: ['load-balancer'],
  disrupts: 'control-plane',
  timeouts: { applyMs: 25 * 60_000, verifyMs: 3 * 60_000 },
  expectedMs: 45_000,
  options: master.masterOptions,
  specIssues: (view) => [...master.masterIssues(view), ...kubeadmIssues(view.cluster)],
  requires: ({ cluster }) => ({
    artifacts: artifacts(cluster),
    ports: [...master.controlPlanePorts],
    images: parts.imagesOf(cluster),
  }),
  resources: async (context) => {
    const { cluster, phases } = context;
    const required = requirementsOfCluster(cluster, phases.values()).flatMap(({ objects = [] }) => objects);
    const { files, plan } = await controlPlaneState(context);
    return [
      ...(await installAll(context, artifacts(cluster))),
      waitUrl(),
      ...files,
      kubeadmControlPlane(context.host.name, {
        ...{ config: plan.config, etcd: plan.etcd, names: plan.names, fills: filledBy(plan.cluster) },
        begin: (apply, state) => begin(plan, apply, state),
        change: (apply, state) => change(plan, apply, state),
      }),
      manifests('rbac', [...bootstrapRbac(), ...required, ...master.editorsObjects()], {
        kubeconfig: CONTROL_PLANE.superAdminKubeconfig,
      }),
    ];
  },
  hooks: { turn: ({ remote, host, peers }) => master.turnOfControlPlane(remote, host, peers) },
  verify,
});

/** What the static pods write. Of etcd the second as well, where the first is a disk of its own, which is never quite empty. */
const filledBy = ({ etcd }: ClusterPart): string[] => [
  master.AUDIT_DIR,
  ...('local' in etcd ? [etcd.local.dataDir, `${etcd.local.dataDir}/member`] : []),
];

const artifacts = (cluster: ClusterSpec) => [
  ...kubernetesBinaries(cluster, ['kubectl']),
  // For etcdctl.
  { artifact: ETCD, version: ETCD.version },
];

/**
 * Static pods of a control plane work on files of their host, which have labels of their own: the type of container-selinux for containers
 * of that kind.
 */
const HOST_LABEL = { spec: { securityContext: { seLinuxOptions: { type: 'spc_t' } } } };

/** Every file of a control plane that kubeadm does not write, and what kubeadm is to make of them. */
async function controlPlaneState(
  context: PhaseContext<Options>,
): Promise<{ files: Resource[]; plan: ControlPlanePlan }> {
  const { cluster, host, pki } = context;
  const stacked = parts.isStacked(cluster);
  const names = await parts.certificateNames(context);
  const hostPart = parts.hostPart(context, FILES.patches);
  const clusterPart = await parts.clusterPart(context, names);
  const requests = parts.servingRequests(context);
  const serving = [
    ...(await leafFiles(pki, requests.controllerManager, `${FILES.servingDir}/controller-manager`)).resources,
    ...(await leafFiles(pki, requests.scheduler, `${FILES.servingDir}/scheduler`)).resources,
  ];
  const health = await leafFiles(pki, identities.healthClient(host), CONTROL_PLANE.healthClient);
  const serviceAccount = await pki.keyPair('service-account');
  const settings = [
    ...(await master.settingsFiles(context, parts.SETTINGS)),
    file(parts.SETTINGS.authentication, authenticationConfig(cluster.spec.kubernetes.version), SECRET),
  ];
  const authorities = [
    file(`${FILES.ca}.crt`, await pki.ca('kubernetes')),
    file(`${FILES.ca}.key`, await pki.caKey('kubernetes'), SECRET),
    file(`${FILES.frontProxyCa}.crt`, await pki.ca('front-proxy')),
    file(`${FILES.frontProxyCa}.key`, await pki.caKey('front-proxy'), SECRET),
    file(`${FILES.serviceAccount}.pub`, serviceAccount.publicKey),
    file(`${FILES.serviceAccount}.key`, serviceAccount.privateKey, SECRET),
  ];
  const store = stacked ? await stackedStore(context) : await externalStore(context);
  const server = `https://${internalAddress(host)}:${paths.API_SERVER_PORT}`;

  // What a daemon reads at its start only: a change of it has to make another pod.
  const digest = (...of: (string | Resource)[]) =>
    short(digestOfParts(of.map((each) => (typeof each === 'string' ? each : kindOf(each).digest(each)))));
  const label = context.facts.selinux === undefined ? null : HOST_LABEL;
  const common = JSON.stringify([
    ...[clusterPart.kubernetesVersion, clusterPart.imageRepository, clusterPart.network],
    ...(label ? [label] : []),
  ]);
  const part = (value: object) => JSON.stringify(value);
  const etcd = stacked ? digest(common, part(clusterPart.etcd), ...store) : 'external';
  const pods = new Map([
    [
      'kube-apiserver',
      digest(
        common,
        part(clusterPart.apiServer),
        part(clusterPart.etcd),
        part(hostPart),
        ...settings,
        ...store,
        ...authorities,
      ),
    ],
    ['kube-controller-manager', digest(common, part(clusterPart.controllerManager), ...serving, ...authorities)],
    ['kube-scheduler', digest(common, part(clusterPart.scheduler), ...serving)],
    ...(stacked ? ([['etcd', etcd]] as const) : []),
  ]);
  const more = parts.nodeParts(context);
  const patches = [...pods].map(([name, of]) =>
    file(
      `${FILES.patches}/${name}+strategic.yaml`,
      stringify({ metadata: { annotations: { [CONFIG_ANNOTATION]: of } }, ...label }),
    ),
  );
  return {
    files: [
      ...[paths.KUBERNETES_DIR, paths.KUBERNETES_PKI, FILES.patches, FILES.apiServerDir, FILES.servingDir].map((path) =>
        directory(path),
      ),
      directory(master.AUDIT_DIR, { mode: 0o700 }),
      ...authorities,
      ...store,
      ...health.resources,
      ...serving,
      ...settings,
      file(FILES.config, initFile(hostPart, clusterPart, more), SECRET),
      ...patches,
      file(paths.ADMIN_KUBECONFIG, await pki.kubeconfig(identities.adminClient(), server), SECRET),
      file(CONTROL_PLANE.superAdminKubeconfig, await pki.kubeconfig(identities.superAdminClient(), server), SECRET),
    ],
    plan: {
      ...{ context, host: hostPart, cluster: clusterPart, names, stacked, pods },
      // Its names are compared with the certificate itself: the static pods do not depend on them.
      config: digest(initFile(hostPart, { ...clusterPart, certificateNames: [] }, more), ...[...pods].flat()),
      etcd: stacked ? etcd : '0',
    },
  };
}

/** The authority of etcd, with which kubeadm makes the certificates of members and of their clients. */
async function stackedStore({ pki }: PhaseContext<Options>): Promise<Resource[]> {
  const ca = await pki.ca('etcd');
  return [
    directory(`${paths.KUBERNETES_PKI}/etcd`),
    file(`${FILES.etcdCa}.crt`, ca),
    file(`${FILES.etcdCa}.key`, await pki.caKey('etcd'), SECRET),
    file(FILES.etcdCaCopy, ca),
  ];
}

/** The authority of an etcd that kubeadm does not run, and the certificate of its client. */
async function externalStore(context: PhaseContext<Options>): Promise<Resource[]> {
  const { client, authority } = await master.storeAccess(context);
  return [...authority, ...client.resources];
}

async function verify(run: PhaseRun<Options>): Promise<void> {
  const { host, options, remote, fail, unitJournal } = run;
  const { ca, healthClient } = CONTROL_PLANE;
  const api = `https://${localApiServer(options.apiServer, host)}:${paths.API_SERVER_PORT}`;
  const urls = [
    `${api}/readyz`,
    `https://127.0.0.1:${paths.CONTROLLER_MANAGER_PORT}/healthz`,
    `https://127.0.0.1:${paths.SCHEDULER_PORT}/healthz`,
  ];
  const anonymous = options.apiServer.extraArgs['anonymous-auth'] === 'true' ? 'yes' : 'no';
  const { code, stderr } = await remote.script(
    CHECK,
    [anonymous, `${api}/version`, WAIT_URL, ca, `${healthClient}.crt`, `${healthClient}.key`, ...urls],
    { timeoutMs: 150_000, okCodes: 'any' },
  );
  if (code === 0) return;
  fail(
    'APISERVER_NOT_READY',
    `the control plane of ${host.name} is not ready`,
    `${stderr}\n${await unitJournal('kubelet.service', 12)}`,
  );
}

/** All three, then that a client without a certificate learns nothing but health and what joining hosts read. */
const CHECK = `
anonymous=$1 version=$2
shift 2
wait=$1 ca=$2 cert=$3 key=$4
shift 4
for url in "$@"; do "$wait" 60 "$url" "$ca" "$cert" "$key"; done
[ "$anonymous" = no ] || exit 0
tries=0
while :; do
  answer=$(${CURL} -s -m 5 -o /dev/null -w '%{http_code}' --cacert "$ca" "$version") || :
  case $answer in 000 | 429 | 5??) ;; *) break ;; esac
  tries=$((tries + 1))
  [ "$tries" -lt 10 ] || break
  sleep 1
done
[ "$answer" = 401 ] || { echo "the API server answers $answer to a client without a certificate" >&2; exit 1; }
`;
