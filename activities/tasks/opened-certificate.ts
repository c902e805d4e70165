import {
  type ClientCertificateUse,
  type CredentialUse,
  clientCertificateUses,
} from '../../contracts/credential-use.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { ClientCertificate } from '../host/client-certificate.ts';
import type { KnownSecrets } from '../host/known-secrets.ts';
import type { OpenedCertificate } from '../phases/phase.ts';
import { secretText } from '../resources/resource.ts';

/**
 * A stored client certificate for a phase, when the cluster may use it at every one of these places; its key is masked in
 * everything that the task says from then on. Throws
 * SSH_CREDENTIAL_UNUSABLE, CLIENT_CERTIFICATE_UNUSABLE.
 */
export async function openedCertificate(
  deps: { clientCertificate?(cluster: string, use: CredentialUse): Promise<ClientCertificate> },
  cluster: string,
  named: ClientCertificateUse,
  secrets: KnownSecrets,
): Promise<OpenedCertificate> {
  let opened: ClientCertificate | undefined;
  for (const use of clientCertificateUses(named)) {
    opened = await deps.clientCertificate?.(cluster, use);
    if (opened) secrets.add(opened.privateKey);
  }
  if (!opened)
    throw new KubewrightError('INTERNAL', `no place to use the client certificate ${named.credential.name} at`);
  const { certificate, privateKey, ca } = opened;
  return { certificate, privateKey: secretText(privateKey), ca };
}
