import type { Host } from '../../contracts/host.ts';
import type { Leaf, Pki } from '../pki/types.ts';

/** The certificate with which a host pulls from, and the registry host pushes to, the cluster's registry. */
export function registryClientLeaf(pki: Pki, host: Host): Promise<Leaf> {
  return pki.leaf({
    authority: 'registry',
    name: `registry-client/${host.name}`,
    commonName: host.name,
    usages: ['client'],
  });
}
