import type { ClusterSpec } from '../../../contracts/cluster.ts';
import { CURL } from '../../host/direct.ts';
import { kubernetesBinaries } from '../../kube/binaries.ts';
import { installAll } from '../../kube/install.ts';
import { WAIT_URL, waitUrl } from '../../kube/lib.ts';
import { internalIpv4 } from '../../kube/network.ts';
import { localApiServer } from '../../kube/options/control-plane.ts';
import {
  API_SERVER_PORT,
  BIN_DIR,
  CONTROLLER_MANAGER_PORT,
  KUBERNETES_DIR,
  KUBERNETES_PKI,
  SCHEDULER_PORT,
} from '../../kube/paths.ts';
import { bootstrapRbac } from '../../kube/rbac.ts';
import { daemonUnit } from '../../render/unit.ts';
import { manifests } from '../../resources/manifests.ts';
import { service } from '../../resources/service.ts';
import { controlPlane } from '../capabilities/control-plane.ts';
import { kubernetesStore } from '../capabilities/kubernetes-store.ts';
import { CONTROL_PLANE_GUARDS } from '../control-plane-issues.ts';
import { API_SERVER_FREE, CONTROLLER_MANAGER_FREE, SCHEDULER_FREE } from '../free-flags.ts';
import { flagFolders } from '../option-types.ts';
import { definePhase } from '../phase.ts';
import { requirementsOfCluster } from '../requires.ts';
import { AUDIT_DIR, drainSeconds } from './daemon-arguments.ts';
import { editorsObjects } from './editors.ts';
import { CONTROL_PLANE, controlPlaneFiles } from './files.ts';
import { masterIssues } from './issues.ts';
import { type MasterOptions, masterOptions as options } from './options.ts';
import { turnOfControlPlane, waitForAnother } from './others-ready.ts';
import { controlPlanePorts } from './ports.ts';
import { keepEarlierNames, servesItsCertificate } from './serving.ts';

const artifacts = (cluster: ClusterSpec) =>
  kubernetesBinaries(cluster, ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl']);

/** API server, controller manager and scheduler as systemd units; the first bindings; kubectl with its kubeconfig. */
export default definePhase({
  name: 'master',
  title: 'Control plane',
  hosts: 'control-plane',
  offers: [
    controlPlane.offer(() => ({
      certificateFiles: [`${KUBERNETES_PKI}/apiserver.crt`, `${KUBERNETES_PKI}/apiserver.key`],
    })),
  ],
  needs: [
    { phase: 'binaries', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
    { phase: 'kubernetes-store', on: 'quorum' },
  ],
  // The certificate of the API server has those of balancers.
  dependsOnAddressesOf: ['load-balancer'],
  disrupts: 'control-plane',
  timeouts: { applyMs: 10 * 60_000, verifyMs: 3 * 60_000 },
  expectedMs: 9_000,
  keepsRunning: { units: ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] },
  options,
  requires: ({ cluster }) => ({
    artifacts: artifacts(cluster),
    ports: controlPlanePorts,
  }),
  specIssues: masterIssues,
  folders: ({ apiServer, controllerManager, scheduler }) => [
    ...[AUDIT_DIR, KUBERNETES_DIR, VOLUME_PLUGINS].map((path) => ({ path })),
    ...flagFolders(apiServer.extraArgs, ['apiServer', 'extraArgs'], [AUDIT_DIR]),
    ...flagFolders(controllerManager.extraArgs, ['controllerManager', 'extraArgs'], [VOLUME_PLUGINS]),
    ...flagFolders(scheduler.extraArgs, ['scheduler', 'extraArgs'], []),
  ],
  guarded: [
    { option: 'apiServer.extraArgs', free: API_SERVER_FREE },
    { option: 'controllerManager.extraArgs', free: CONTROLLER_MANAGER_FREE },
    { option: 'scheduler.extraArgs', free: SCHEDULER_FREE },
    ...CONTROL_PLANE_GUARDS,
    { option: 'encryption' },
    { option: 'audit' },
    { option: 'podSecurity' },
    { option: 'certificateNames' },
    { option: 'endpoint' },
  ],
  resources: async (context) => {
    const { cluster, phases } = context;
    const required = requirementsOfCluster(cluster, phases.values()).flatMap(({ objects = [] }) => objects);
    const { apiServer, controllerManager, scheduler, files } = await controlPlaneFiles(context);
    const store = context.offer(kubernetesStore);
    const drain = drainSeconds(context);
    const hardening = { NoNewPrivileges: true, ProtectHome: true, PrivateTmp: true };
    const { ca, healthClient, superAdminKubeconfig } = CONTROL_PLANE;
    const readyz = `https://${internalIpv4(context.host) ?? '127.0.0.1'}:${API_SERVER_PORT}/readyz`;
    return [
      ...(await installAll(context, artifacts(cluster))),
      waitUrl(),
      ...files,
      service('kube-apiserver', {
        unit: daemonUnit({
          description: 'Kubernetes API server',
          documentation: 'https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/',
          exec: apiServer.command,
          after: store.unit === null ? [] : [store.unit],
          service: {
            ...hardening,
            Type: 'notify',
            // Listening is not ready: what starts after this unit must find RBAC's own roles.
            ExecStartPost: `${WAIT_URL} 110 ${readyz} ${ca} ${healthClient}.crt ${healthClient}.key`,
            TimeoutStartSec: 120,
            // systemd's default of 90 s begins before the drain.
            ...(drain > 0 ? { TimeoutStopSec: drain + 90 } : {}),
          },
        }),
        beforeStop: waitForAnother(context.host, context.peers, context.window),
        restartOn: [`${BIN_DIR}/kube-apiserver`, ...apiServer.restartOn],
        fills: [AUDIT_DIR],
      }),
      service('kube-controller-manager', {
        unit: daemonUnit({
          description: 'Kubernetes controller manager',
          documentation: 'https://kubernetes.io/docs/reference/command-line-tools-reference/kube-controller-manager/',
          exec: controllerManager.command,
          after: ['kube-apiserver.service'],
          service: hardening,
        }),
        restartOn: [`${BIN_DIR}/kube-controller-manager`, ...controllerManager.restartOn],
        // It looks for volume plugins there, and makes the folder; so does the kubelet.
        fills: [VOLUME_PLUGINS],
      }),
      service('kube-scheduler', {
        unit: daemonUnit({
          description: 'Kubernetes scheduler',
          documentation: 'https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/',
          exec: scheduler.command,
          after: ['kube-apiserver.service'],
          service: hardening,
        }),
        restartOn: [`${BIN_DIR}/kube-scheduler`, ...scheduler.restartOn],
      }),
      manifests('rbac', [...bootstrapRbac(), ...required, ...editorsObjects()], { kubeconfig: superAdminKubeconfig }),
    ];
  },
  hooks: {
    before: keepEarlierNames,
    turn: ({ remote, host, peers }) => turnOfControlPlane(remote, host, peers),
  },
  async verify(run) {
    const { host, options, remote, fail, unitJournal } = run;
    const { ca, healthClient } = CONTROL_PLANE;
    const local = localApiServer(options.apiServer, host);
    const checks = [
      ['kube-apiserver', `${local}:${API_SERVER_PORT}/readyz`],
      ['kube-controller-manager', `127.0.0.1:${CONTROLLER_MANAGER_PORT}/healthz`],
      ['kube-scheduler', `127.0.0.1:${SCHEDULER_PORT}/healthz`],
    ] as const;
    const urls = checks.map(([, at]) => `https://${at}`);
    const { code, stderr } = await remote.script(
      CHECK,
      [anonymousMay(options), WAIT_URL, ca, `${healthClient}.crt`, `${healthClient}.key`, ...urls],
      {
        timeoutMs: 150_000,
        okCodes: 'any',
      },
    );
    if (code === 0) return servesItsCertificate(run);
    const sick = checks.find((_, index) => stderr.includes(urls[index]!))?.[0] ?? 'kube-apiserver';
    fail(
      'APISERVER_NOT_READY',
      `${sick} on ${host.name} is not ready`,
      `${stderr}\n${await unitJournal(`${sick}.service`, 12)}`,
    );
  },
});

/** Where volume plugins are looked for. */
const VOLUME_PLUGINS = '/usr/libexec/kubernetes';

/** Whether anonymous requests are answered: never, unless the flags say so. */
const anonymousMay = ({ apiServer: { extraArgs } }: MasterOptions): 'yes' | 'no' =>
  extraArgs['anonymous-auth'] === 'true' ? 'yes' : 'no';

/** All three, then that a client without a certificate learns nothing. */
const CHECK = `
anonymous=$1
shift
wait=$1 ca=$2 cert=$3 key=$4
api=$5
shift 4
for url in "$@"; do "$wait" 60 "$url" "$ca" "$cert" "$key"; done
[ "$anonymous" = no ] || exit 0
tries=0
while :; do
  answer=$(${CURL} -s -m 5 -o /dev/null -w '%{http_code}' --cacert "$ca" "$api") || :
  # Neither of these is about who asks.
  case $answer in 000 | 429 | 5??) ;; *) break ;; esac
  tries=$((tries + 1))
  [ "$tries" -lt 10 ] || break
  sleep 1
done
[ "$answer" = 401 ] || { echo "the API server answers $answer to a client without a certificate" >&2; exit 1; }
`;
