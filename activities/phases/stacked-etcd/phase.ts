import { type ClusterSpec, hostsWithRole } from '../../../contracts/cluster.ts';
import type { FieldIssue } from '../../../contracts/issues.ts';
import { etcdHealthClient } from '../../kube/identities.ts';
import { ETCD_CLIENT_PORT, ETCD_DIR, ETCD_PEER_PORT, ETCD_PKI } from '../../kube/paths.ts';
import { leafFiles } from '../../kube/pki-files.ts';
import { directory } from '../../resources/directory.ts';
import { file } from '../../resources/file.ts';
import { DEFAULT_PREFIX, kubernetesStore } from '../capabilities/kubernetes-store.ts';
import { DATA_DIR_SETTING, type EtcdOptions, etcdOptions, memberIssues } from '../etcd/public.ts';
import { KUBEADM_FILES } from '../kubeadm/public.ts';
import { definePhase } from '../phase.ts';

/**
 * The store of API servers whose members kubeadm runs as static pods, one beside each of them. This phase places what others ask the
 * members with; the members themselves come and go with their control planes, by phase kubeadm.
 */
export default definePhase({
  name: 'stacked-etcd',
  title: 'Stacked etcd (kubeadm)',
  // Its hosts are the control planes: `specIssues` sees to it.
  hosts: 'etcd',
  sharesOptionsWith: 'etcd',
  offers: [
    kubernetesStore.offer(() => ({
      servers: [`https://127.0.0.1:${ETCD_CLIENT_PORT}`],
      prefix: DEFAULT_PREFIX,
      unit: null,
      clientCertificate: null,
    })),
  ],
  needs: [
    { phase: 'prepare', on: 'same-host' },
    { phase: 'pki', on: 'every-host' },
  ],
  timeouts: { applyMs: 60_000, verifyMs: 10_000 },
  expectedMs: 300,
  options: etcdOptions,
  requires: ({ options }) => ({
    etcdData: { folder: options.dataDir, writtenBy: KUBEADM_FILES.record, setting: DATA_DIR_SETTING },
    ports: [
      { ...PORT, port: ETCD_CLIENT_PORT, from: ['etcd', 'control-plane'] },
      { ...PORT, port: ETCD_PEER_PORT, from: ['etcd'] },
    ],
  }),
  specIssues: ({ cluster, options }) => [...memberIssues(cluster), ...stackedIssues(cluster, options)],
  resources: async ({ host, pki }) => {
    const health = await leafFiles(pki, etcdHealthClient(host), `${ETCD_PKI}/health`);
    return [
      directory(ETCD_DIR),
      directory(ETCD_PKI),
      file(`${ETCD_PKI}/ca.crt`, await pki.ca('etcd')),
      ...health.resources,
    ];
  },
});

/** Official images and ours have the program at the same place as our units. */
const PORT = { protocol: 'tcp', what: 'etcd', holder: '/usr/local/bin/etcd' } as const;

/** What a spec says of etcd that kubeadm's static pods cannot be. Pure. */
function stackedIssues(cluster: ClusterSpec, { bootstrap }: EtcdOptions): FieldIssue[] {
  const founding: FieldIssue[] =
    bootstrap === undefined
      ? []
      : [
          {
            path: 'spec.phases.etcd.bootstrap',
            message: 'remove it: kubeadm founds stacked etcd, and each control plane joins it',
          },
        ];
  const planes = new Set(hostsWithRole(cluster, 'control-plane').map(({ name }) => name));
  const roles = cluster.spec.hosts.flatMap(({ name, roles: own }, index): FieldIssue[] => {
    if (own.includes('etcd') === planes.has(name)) return [];
    const message = planes.has(name)
      ? `stacked etcd has a member on each control plane: give ${name} the role etcd, or set spec.controlPlane.etcd to external`
      : `${name} is no control plane, and stacked etcd runs on those: remove the role etcd, or set spec.controlPlane.etcd to external`;
    return [{ path: `spec.hosts[${index}].roles`, message }];
  });
  return [...founding, ...roles];
}
