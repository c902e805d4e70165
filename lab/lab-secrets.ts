import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { LabPaths } from './paths.ts';
import { run } from './run.ts';

/** What hosts must know to let the lab's users in. */
export interface LabAccess {
  /** The public key as one authorized_keys line. */
  authorizedKey: string;
  /** crypt(3) hash of the operator's password. */
  passwordHash: string;
}

/** The lab's key pair and the operator's password, made on the first `up`; both readable by their owner only. */
export async function ensureAccess(lab: LabPaths): Promise<LabAccess> {
  await mkdir(lab.stateDir, { recursive: true, mode: 0o700 });
  let authorizedKey = await readFile(`${lab.sshKey}.pub`, 'utf8').catch(() => null);
  if (authorizedKey === null) {
    await rm(lab.sshKey, { force: true });
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', `kubewright-lab-${lab.name}`, '-f', lab.sshKey]);
    authorizedKey = await readFile(`${lab.sshKey}.pub`, 'utf8');
  }
  let password = await readFile(lab.passwordFile, 'utf8').catch(() => '');
  if (password === '') {
    password = randomBytes(15).toString('base64url');
    await writeFile(lab.passwordFile, password, { mode: 0o600 });
  }
  const { stdout } = await run(['openssl', 'passwd', '-6', '-stdin'], { input: password });
  return { authorizedKey, passwordHash: stdout.trim() };
}
