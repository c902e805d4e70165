import { internalAddress } from '../../../contracts/cluster.ts';
import * as identities from '../../kube/identities.ts';
import { SYSTEM_NAMESPACE } from '../../kube/manifests/common.ts';
import { localApiServer } from '../../kube/options/control-plane.ts';
import {
  ADMIN_KUBECONFIG,
  API_SERVER_PORT,
  BIN_DIR,
  KUBERNETES_DIR,
  KUBEWRIGHT_DIR,
  KUBERNETES_PKI as PKI,
} from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { kubeconfigWithFiles } from '../../render/kubeconfig-files.ts';
import { type FlagValues, flags } from '../../render/unit.ts';
import { directory } from '../../resources/directory.ts';
import { file } from '../../resources/file.ts';
import { type Resource, secretText } from '../../resources/resource.ts';
import { kubernetesStore } from '../capabilities/kubernetes-store.ts';
import type { PhaseContext } from '../phase.ts';
import { admissionConfig } from './admission-config.ts';
import { auditPolicy } from './audit-policy.ts';
import { AUDIT_DIR, daemonArguments } from './daemon-arguments.ts';
import { encryptionConfig } from './encryption-config.ts';
import type { MasterOptions } from './options.ts';
import { servingRequest } from './serving.ts';

/** Where a control plane keeps what its own units, hooks and people use. */
export const CONTROL_PLANE = {
  ca: `${PKI}/ca.crt`,
  /** Without `.crt` and `.key`. */
  healthClient: `${PKI}/health-client`,
  superAdminKubeconfig: `${KUBEWRIGHT_DIR}/super-admin.kubeconfig`,
} as const;

const ETCD_CA = `${PKI}/etcd-ca.crt`;
const SECRET = { mode: 0o600 };

/** A daemon's command line, and the files whose change must restart it: those that it reads at its start only. */
interface Daemon {
  command: string[];
  restartOn: string[];
}

/** Every file of a control plane but its units, and the command lines of its three daemons. */
export async function controlPlaneFiles(
  context: PhaseContext<MasterOptions>,
): Promise<{ apiServer: Daemon; controllerManager: Daemon; scheduler: Daemon; files: Resource[] }> {
  const { cluster, host, options, pki } = context;
  const leaf = (name: string, request: Parameters<typeof pki.leaf>[0]) => leafFiles(pki, request, `${PKI}/${name}`);

  const own = await leaf('apiserver', await servingRequest(context));
  const kubelets = await leaf('apiserver-kubelet-client', identities.apiServerKubeletClient(host));
  const etcd = await storeAccess(context);
  const frontProxy = await leaf('front-proxy-client', identities.frontProxyClient(host));
  const health = await leaf('health-client', identities.healthClient(host));
  const managerServing = await leaf('controller-manager-server', identities.loopbackServer('controller-manager', host));
  const managerClient = await leaf('controller-manager', identities.controllerManagerClient(host));
  const schedulerServing = await leaf('scheduler-server', identities.loopbackServer('scheduler', host));
  const schedulerClient = await leaf('scheduler', identities.schedulerClient(host));
  const serviceAccount = await pki.keyPair('service-account');

  const paths = {
    ca: CONTROL_PLANE.ca,
    caKey: `${PKI}/ca.key`,
    frontProxyCa: `${PKI}/front-proxy-ca.crt`,
    serviceAccountPublic: `${PKI}/service-account.pub`,
    serviceAccountPrivate: `${PKI}/service-account.key`,
    etcdCa: ETCD_CA,
    encryption: `${KUBERNETES_DIR}/encryption-config.yaml`,
    admission: `${KUBERNETES_DIR}/admission.yaml`,
    auditPolicy: `${KUBERNETES_DIR}/audit-policy.yaml`,
    managerKubeconfig: `${KUBERNETES_DIR}/controller-manager.kubeconfig`,
    schedulerKubeconfig: `${KUBERNETES_DIR}/scheduler.kubeconfig`,
  };
  // Controllers talk to the API server beside them: they live and die with it, and another host's lease takes over.
  const local = `https://${localApiServer(options.apiServer, host)}:${API_SERVER_PORT}`;
  const server = `https://${internalAddress(host)}:${API_SERVER_PORT}`;
  const kubeconfig = (user: string, pair: { cert: string; key: string }) =>
    kubeconfigWithFiles({ cluster: cluster.metadata.name, user, server: local, ca: paths.ca, ...pair });

  const { audit } = options;
  const files: Resource[] = [
    directory(KUBERNETES_DIR),
    directory(PKI),
    directory(AUDIT_DIR, { mode: 0o700 }),
    file(paths.ca, await pki.ca('kubernetes')),
    file(paths.caKey, await pki.caKey('kubernetes'), SECRET),
    ...etcd.authority,
    file(paths.frontProxyCa, await pki.ca('front-proxy')),
    ...[own, kubelets, etcd.client, frontProxy, health].flatMap(({ resources }) => resources),
    ...[managerServing, managerClient, schedulerServing, schedulerClient].flatMap(({ resources }) => resources),
    file(paths.serviceAccountPublic, serviceAccount.publicKey),
    file(paths.serviceAccountPrivate, serviceAccount.privateKey, SECRET),
    ...(await settingsFiles(context, paths)),
    file(paths.managerKubeconfig, kubeconfig('system:kube-controller-manager', managerClient), SECRET),
    file(paths.schedulerKubeconfig, kubeconfig('system:kube-scheduler', schedulerClient), SECRET),
    file(ADMIN_KUBECONFIG, await pki.kubeconfig(identities.adminClient(), server), SECRET),
    file(CONTROL_PLANE.superAdminKubeconfig, await pki.kubeconfig(identities.superAdminClient(), server), SECRET),
  ];

  const daemons = daemonArguments(context, paths, {
    ...{ serving: own, kubelets, etcdClient: etcd.client, frontProxy, managerServing, schedulerServing },
  });
  const command = (name: string, values: FlagValues) => [`${BIN_DIR}/${name}`, ...flags(values)];
  return {
    files,
    apiServer: {
      command: command('kube-apiserver', daemons.apiServer),
      // Its certificates and authorities it reads again by itself; not these.
      restartOn: [
        ...[ETCD_CA, etcd.client.cert, kubelets.cert, frontProxy.cert],
        ...[paths.serviceAccountPublic, paths.serviceAccountPrivate, paths.encryption, paths.admission],
        ...(audit.enabled ? [paths.auditPolicy] : []),
      ],
    },
    controllerManager: {
      command: command('kube-controller-manager', daemons.controllerManager),
      restartOn: [paths.ca, paths.caKey, paths.managerKubeconfig, managerClient.cert, paths.serviceAccountPrivate],
    },
    scheduler: {
      command: command('kube-scheduler', daemons.scheduler),
      restartOn: [paths.ca, paths.schedulerKubeconfig, schedulerClient.cert],
    },
  };
}

/** What kube-apiserver reads beside certificates: how Secrets are encrypted, what is admitted, which requests are recorded. */
export async function settingsFiles(
  { options, pki }: PhaseContext<MasterOptions>,
  paths: { encryption: string; admission: string; auditPolicy: string },
): Promise<Resource[]> {
  const { audit, encryption, podSecurity } = options;
  const key = (await pki.randomSecret('secrets-encryption', 32)).value;
  return [
    file(paths.encryption, secretText(encryptionConfig({ provider: encryption, keyName: 'key-1', key })), SECRET),
    file(paths.admission, admissionConfig({ enforce: podSecurity, exemptNamespaces: [SYSTEM_NAMESPACE] }), SECRET),
    ...(audit.enabled ? [file(paths.auditPolicy, auditPolicy(audit.policy), SECRET)] : []),
  ];
}

/** The authority of the etcd, and certificate and key of the API server as its client. */
export async function storeAccess({ host, pki, offer, clientCertificate }: PhaseContext<MasterOptions>) {
  const stored = offer(kubernetesStore).clientCertificate;
  const base = `${PKI}/apiserver-etcd-client`;
  if (stored === null) {
    const client = await leafFiles(pki, identities.apiServerEtcdClient(host), base);
    return { client, authority: [file(ETCD_CA, await pki.ca('etcd'))] };
  }
  const { certificate, privateKey, ca } = await clientCertificate(stored);
  const [cert, key] = [`${base}.crt`, `${base}.key`];
  const client = { cert, key, resources: [file(cert, certificate), file(key, privateKey, SECRET)] };
  return { client, authority: [file(ETCD_CA, ca)] };
}
