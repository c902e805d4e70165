import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenStore } from '../store/tokens.ts';

/** The file in the data directory that holds the first admin token. */
export const ADMIN_TOKEN_FILE = 'admin-token';

/**
 * Make sure that somebody can log in: writes an admin token to `<data>/admin-token` (0600) when no valid admin token
 * exists. Whoever removed the file on purpose keeps their other tokens; revoke them all and restart to get a new one.
 * Returns the file's path.
 */
export async function ensureAdminToken(dataDir: string, tokens: TokenStore): Promise<string> {
  const file = join(dataDir, ADMIN_TOKEN_FILE);
  const now = new Date().toISOString();
  const valid = (await tokens.list()).some(
    ({ role, revokedAt, expiresAt }) => role === 'admin' && revokedAt === null && (expiresAt ?? '9') > now,
  );
  if (valid) return file;
  const { token } = await tokens.create('admin', 'admin');
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, `${token}\n`, { mode: 0o600, flag: 'wx', flush: true });
  renameSync(draft, file);
  return file;
}
