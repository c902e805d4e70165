import { X509Certificate } from 'node:crypto';
import * as identities from '../../kube/identities.ts';
import { localApiServer } from '../../kube/options/control-plane.ts';
import { API_SERVER_PORT, API_SERVERS_HOSTNAME, KUBERNETES_PKI } from '../../kube/paths.ts';
import { waitForCertificate } from '../../kube/served-certificate.ts';
import type { LeafRequest } from '../../pki/types.ts';
import { controlPlaneEndpoint } from '../capabilities/control-plane-endpoint.ts';
import { endpointNamesInUse, hasNoEndpointNames, noteEarlierNames } from '../endpoint-names.ts';
import type { PhaseContext, PhaseRun } from '../phase.ts';
import type { MasterOptions } from './options.ts';

/** Names of the API server that the spec asks for. The one for all of them too while there is one only: others come and go. */
const namesOf = ({ offer, options }: PhaseContext<MasterOptions>): string[] => [
  API_SERVERS_HOSTNAME,
  ...offer(controlPlaneEndpoint).certificateNames,
  ...options.certificateNames,
];

/** The API server's own certificate, also for names of an earlier endpoint that nodes may still use. */
export async function servingRequest(context: PhaseContext<MasterOptions>): Promise<LeafRequest> {
  const names = [...namesOf(context), ...(await endpointNamesInUse(context))];
  return identities.apiServerServer(context.cluster, context.host, names);
}

/**
 * Of a cluster that an earlier version built, nothing is known about the names that its nodes use: all of its present certificate
 * stay until each node is known to use the endpoint. Asked once.
 */
export async function keepEarlierNames(run: PhaseRun<MasterOptions>): Promise<void> {
  if (run.mode === 'check' || !(await hasNoEndpointNames(run))) return;
  const { code, stdout } = await run.remote.exec(['cat', `${KUBERNETES_PKI}/apiserver.crt`], { okCodes: 'any' });
  if (code !== 0) return;
  const { dnsNames = [], ipAddresses = [] } = identities.apiServerServer(run.cluster, run.host, namesOf(run));
  const known = new Set([...dnsNames, ...ipAddresses]);
  const hosts = new Set(
    run.cluster.spec.hosts.flatMap(({ name, address, internalAddress }) => [name, address, internalAddress]),
  );
  const names = (new X509Certificate(stdout).subjectAltName ?? '')
    .split(', ')
    .map((entry) => entry.slice(entry.indexOf(':') + 1))
    .filter((name) => !known.has(name) && !hosts.has(name));
  if (names.length > 0) await noteEarlierNames(run, names);
}

/** The certificate on disk is the one that clients see: the API server reads it anew without a restart. */
export async function servesItsCertificate(run: PhaseRun<MasterOptions>): Promise<void> {
  const { cert } = await run.pki.leaf(await servingRequest(run));
  const at = { address: localApiServer(run.options.apiServer, run.host), port: API_SERVER_PORT };
  const problem = await waitForCertificate(run.remote, at, cert);
  if (problem !== null)
    run.fail('APISERVER_NOT_READY', `kube-apiserver on ${run.host.name} has not read its new certificate`, problem);
}
