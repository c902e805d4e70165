import { randomUUID } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACTORS } from '../contracts/messages.ts';
import type { Store } from '../store/index.ts';
import { recordIssue, tokenIssue } from './record-issue.ts';

/** The file in the data directory that holds the first admin token. */
export const ADMIN_TOKEN_FILE = 'admin-token';

/**
 * Make sure that an admin can log in: writes an admin token to `<data>/admin-token` (0600) when there is no valid admin
 * token of all clusters. If the file was removed on purpose, other tokens stay valid; revoke them all and restart to get
 * a new one. Returns the file's path.
 */
export async function ensureAdminToken(
  dataDir: string,
  { tokens, journal }: Pick<Store, 'tokens' | 'journal'>,
): Promise<string> {
  const file = join(dataDir, ADMIN_TOKEN_FILE);
  const now = new Date().toISOString();
  const valid = (await tokens.list()).some(
    ({ role, revokedAt, expiresAt, clusters }) =>
      role === 'admin' && clusters === null && revokedAt === null && (expiresAt ?? '9') > now,
  );
  if (valid) return file;
  const { token, info, digest } = await tokens.create('admin', 'admin');
  try {
    await recordIssue(journal, { actor: ACTORS.service, requestId: '' }, tokenIssue(info, digest));
    const draft = `${file}.${randomUUID()}`;
    writeFileSync(draft, `${token}\n`, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(draft, file);
  } catch (error) {
    // The token was never handed out, and the next start would count it as valid.
    await tokens.revoke(info.id);
    throw error;
  }
  return file;
}
