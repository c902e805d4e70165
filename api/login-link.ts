import { readFileSync } from 'node:fs';
import type { Store } from '../store/index.ts';
import { loginPath } from './login-path.ts';

/**
 * A link that logs a browser in once, with the rights of the token in this file; null when the file is gone or its token is
 * no longer valid. To be shown to a person, never logged.
 */
export async function loginLink(
  { tokens, sessions }: Pick<Store, 'tokens' | 'sessions'>,
  tokenFile: string,
  url: string,
): Promise<string | null> {
  let token: string;
  try {
    token = readFileSync(tokenFile, 'utf8').trim();
  } catch {
    return null;
  }
  const holder = await tokens.verify(token);
  if (holder?.actor.id === undefined) return null;
  return `${url}${loginPath((await sessions.createCode(holder.actor.id)).code)}`;
}
