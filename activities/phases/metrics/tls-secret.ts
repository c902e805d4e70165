import type { Change } from '../../../contracts/operation.ts';
import { askKubectl, kubectl } from '../../kube/kubectl.ts';
import { bytes } from '../../kube/manifests/common.ts';
import type { Leaf } from '../../pki/types.ts';
import { sha256 } from '../../resources/digest.ts';
import { OWNER_LABELS, ownerLabels } from '../../resources/manifests.ts';
import type { PhaseRun } from '../phase.ts';

const DIGEST = 'kubewright.dev/digest';

/** Digest of a certificate, as its Secret and the pods that use it carry it. */
export const certificateDigest = (leaf: Pick<Leaf, 'cert'>): string => sha256(leaf.cert).slice(0, 16);

/**
 * A certificate and its key as a Secret. Not a `manifests` resource: those are kept in the journal as they are, and this
 * travels on standard input, of which the journal keeps the digest only.
 */
export async function ensureTlsSecret(
  run: Pick<PhaseRun<unknown>, 'remote' | 'signal' | 'cluster'>,
  secret: { namespace: string; name: string; phase: string },
  leaf: Leaf,
): Promise<Change[]> {
  const { namespace, name } = secret;
  const digest = certificateDigest(leaf);
  const labels = ownerLabels({ cluster: run.cluster.metadata.name, phase: secret.phase });
  const field = (key: string) => key.replaceAll('.', '\\.');
  const present = await askKubectl(run, [
    ...['get', 'secret', name, '-n', namespace, '--ignore-not-found'],
    ...['-o', `jsonpath={.metadata.annotations.${field(DIGEST)}} {.metadata.labels.${field(OWNER_LABELS.phase)}}`],
  ]);
  if (present.stdout === `${digest} ${secret.phase}`) return [];
  const object = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name, namespace, labels, annotations: { [DIGEST]: digest } },
    data: { 'tls.crt': bytes(leaf.cert), 'tls.key': bytes(leaf.key.value) },
  };
  await kubectl(run.remote, ['apply', '--server-side', '--force-conflicts', '--field-manager=kubewright', '-f', '-'], {
    stdin: JSON.stringify(object),
    secrets: [leaf.key.value, object.data['tls.key']],
  });
  const action = present.stdout === '' ? 'create' : 'update';
  return [{ resource: `secret:${namespace}/${name}`, action, detail: `certificate ${digest}` }];
}
