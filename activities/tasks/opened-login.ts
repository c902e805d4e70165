import { type CredentialUse, registryLoginUse } from '../../contracts/credential-use.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Registry } from '../../contracts/registries.ts';
import type { RegistryLogin } from '../host/credentials.ts';
import type { KnownSecrets } from '../host/known-secrets.ts';
import type { OpenedRegistryLogin } from '../phases/phase.ts';
import { secretText } from '../resources/resource.ts';

/**
 * The login of a registry for a phase, when the cluster may use it there; all its forms are masked in everything that the
 * task says from then on. Null where the spec names none. Throws SSH_CREDENTIAL_UNUSABLE.
 */
export async function openedLogin(
  deps: { registryLogin?(cluster: string, use: CredentialUse): Promise<RegistryLogin> },
  cluster: string,
  registry: Registry,
  secrets: KnownSecrets,
): Promise<OpenedRegistryLogin | null> {
  const use = registryLoginUse(registry);
  if (!use) return null;
  const opened = await deps.registryLogin?.(cluster, use);
  if (!opened) throw new KubewrightError('INTERNAL', `nothing opens the login of the registry ${registry.host}`);
  const { user, password } = opened;
  const basic = Buffer.from(`${user}:${password}`).toString('base64');
  secrets.add(password, basic);
  return { basic: secretText(basic) };
}
