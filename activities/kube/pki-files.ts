import type { LeafRequest, Pki } from '../pki/types.ts';
import { file } from '../resources/file.ts';
import type { Resource } from '../resources/resource.ts';

/** A certificate and its key on a host. */
export interface LeafFiles {
  readonly cert: string;
  readonly key: string;
  readonly resources: readonly Resource[];
}

/** `<base>.crt` and `<base>.key` (0600). `owner` is the account that reads the key; default root. */
export async function leafFiles(
  pki: Pki,
  request: LeafRequest,
  base: string,
  owner: { owner?: string; group?: string } = {},
): Promise<LeafFiles> {
  const leaf = await pki.leaf(request);
  const cert = `${base}.crt`;
  const key = `${base}.key`;
  return { cert, key, resources: [file(cert, leaf.cert), file(key, leaf.key, { mode: 0o600, ...owner })] };
}
