import { hostsWithRole } from '../../../contracts/cluster.ts';
import * as identities from '../../kube/identities.ts';
import { internalIpv4, nodeCidrBits } from '../../kube/network.ts';
import { apiServerFlags, controllerFlags } from '../../kube/options/control-plane.ts';
import { API_SERVER_PORT, CONTROLLER_MANAGER_PORT, SCHEDULER_PORT } from '../../kube/paths.ts';
import type { FlagValues } from '../../render/unit.ts';
import { controlPlaneEndpoint } from '../capabilities/control-plane-endpoint.ts';
import { DEFAULT_PREFIX, kubernetesStore } from '../capabilities/kubernetes-store.ts';
import { podNetwork } from '../capabilities/pod-network.ts';
import type { PhaseContext } from '../phase.ts';
import { apiServerArguments } from './kube-apiserver.ts';
import { controllerManagerArguments, schedulerArguments } from './kube-controllers.ts';
import type { MasterOptions } from './options.ts';

/** Where logs of requests are kept. */
export const AUDIT_DIR = '/var/log/kubernetes';

/** Files that the daemons of a control plane read. */
interface DaemonPaths {
  ca: string;
  caKey: string;
  frontProxyCa: string;
  etcdCa: string;
  serviceAccountPublic: string;
  serviceAccountPrivate: string;
  encryption: string;
  admission: string;
  auditPolicy: string;
  managerKubeconfig: string;
  schedulerKubeconfig: string;
}

interface Pair {
  cert: string;
  key: string;
}

/** Certificates of the daemons. */
interface DaemonPairs {
  serving: Pair;
  kubelets: Pair;
  etcdClient: Pair;
  frontProxy: Pair;
  managerServing: Pair;
  schedulerServing: Pair;
}

/** The flags of the three daemons on a host, from the options; every engine starts from these. Pure. */
export function daemonArguments(
  context: Pick<PhaseContext<MasterOptions>, 'cluster' | 'host' | 'options' | 'offer'>,
  paths: DaemonPaths,
  pairs: DaemonPairs,
): { apiServer: FlagValues; controllerManager: FlagValues; scheduler: FlagValues } {
  const { cluster, host, options } = context;
  const { podCidr, serviceCidr, clusterDomain } = cluster.spec.network;
  const store = context.offer(kubernetesStore);
  const { audit } = options;
  const loopback = { clientCa: paths.ca, frontProxyCa: paths.frontProxyCa };
  return {
    apiServer: apiServerArguments({
      port: API_SERVER_PORT,
      advertiseAddress: internalIpv4(host),
      serviceCidr,
      clusterDomain,
      etcdServers: store.servers,
      etcdPrefix: store.prefix === DEFAULT_PREFIX ? undefined : store.prefix,
      etcdCa: paths.etcdCa,
      etcdClient: pairs.etcdClient,
      clientCa: paths.ca,
      serving: pairs.serving,
      kubeletCa: paths.ca,
      kubeletClient: pairs.kubelets,
      serviceAccountPublicKey: paths.serviceAccountPublic,
      serviceAccountPrivateKey: paths.serviceAccountPrivate,
      frontProxyCa: paths.frontProxyCa,
      frontProxyName: identities.FRONT_PROXY_NAME,
      frontProxyClient: pairs.frontProxy,
      encryptionConfig: paths.encryption,
      admissionConfig: paths.admission,
      drainSeconds: drainSeconds(context),
      audit: audit.enabled ? { ...audit, policy: paths.auditPolicy, log: `${AUDIT_DIR}/audit.log` } : undefined,
      typed: apiServerFlags(options.apiServer, host),
      extraArgs: options.apiServer.extraArgs,
    }),
    controllerManager: controllerManagerArguments({
      ...loopback,
      port: CONTROLLER_MANAGER_PORT,
      kubeconfig: paths.managerKubeconfig,
      serving: pairs.managerServing,
      clusterName: cluster.metadata.name,
      podCidr,
      nodeCidrBits: nodeCidrBits(cluster),
      allocatesNodeCidrs: context.offer(podNetwork).needsPodCidr,
      serviceCidr,
      ca: { cert: paths.ca, key: paths.caKey },
      serviceAccountPrivateKey: paths.serviceAccountPrivate,
      typed: controllerFlags(options.controllerManager),
      extraArgs: options.controllerManager.extraArgs,
    }),
    scheduler: schedulerArguments({
      ...loopback,
      port: SCHEDULER_PORT,
      kubeconfig: paths.schedulerKubeconfig,
      serving: pairs.schedulerServing,
      typed: controllerFlags(options.scheduler),
      extraArgs: options.scheduler.extraArgs,
    }),
  };
}

/** How long an API server goes on serving behind a balancer after it was asked to stop. A single one only stops. */
export function drainSeconds({ cluster, offer }: Pick<PhaseContext<unknown>, 'cluster' | 'offer'>): number {
  return hostsWithRole(cluster, 'control-plane').length > 1 ? offer(controlPlaneEndpoint).drainSeconds : 0;
}
