import { z } from 'zod';
import { address, port } from '../../../contracts/primitives.ts';
import { defineCapability, type GetOffer } from '../capability.ts';

/** The way by which nodes, and people, reach the API servers. */
export const controlPlaneEndpoint = defineCapability({
  name: 'control-plane-endpoint',
  choice: true,
  data: z.strictObject({
    host: address.describe('Name or address'),
    port: port.describe('TCP port of the API servers there'),
    forClients: z
      .boolean()
      .describe('Clients beyond the hosts of the cluster reach it too; false: they use the address of a control plane'),
  }),
});

/** Where kubelets, kube-proxies and other clients on the hosts reach the API servers. */
export function apiServerUrl({ offer }: { offer: GetOffer }): string {
  const { host, port } = offer(controlPlaneEndpoint);
  return `https://${host}:${port}`;
}
