import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MACHINE_STATE } from './paths.ts';

const RECORD = join(MACHINE_STATE, 'sysctls.json');

/** Settings of the whole machine that a lab raises. */
const AT_LEAST: Record<string, number> = {
  'net/ipv4/ip_forward': 1,
  // Counted per user, and root is the same user in all hosts: a host takes about a dozen, Kubernetes on it some more.
  'fs/inotify/max_user_instances': 8_192,
  'fs/inotify/max_user_watches': 524_288,
};

/** Settings of the whole machine that kubelets change from inside a host: given back afterwards. */
const CHANGED_BY_HOSTS = ['kernel/panic', 'kernel/panic_on_oops', 'vm/overcommit_memory', 'vm/panic_on_oom'];

/** Raises what labs need. What there was before is recorded by the first lab and kept for the last. */
export async function raiseSysctls(): Promise<void> {
  const now = new Map<string, string>();
  for (const name of [...Object.keys(AT_LEAST), ...CHANGED_BY_HOSTS]) {
    const value = await readFile(join('/proc/sys', name), 'utf8').catch(() => null);
    if (value !== null) now.set(name, value.trim());
  }
  await mkdir(MACHINE_STATE, { recursive: true });
  // "wx": another lab's record, made before anything was raised, stays.
  await writeFile(RECORD, JSON.stringify(Object.fromEntries(now)), { flag: 'wx' }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  for (const [name, least] of Object.entries(AT_LEAST)) {
    const value = now.get(name);
    if (value !== undefined && Number(value) < least) await writeFile(join('/proc/sys', name), String(least));
  }
}

/** Gives the machine back the settings it had before the first lab. */
export async function restoreSysctls(): Promise<void> {
  const text = await readFile(RECORD, 'utf8').catch(() => null);
  if (text === null) return;
  for (const [name, value] of Object.entries(JSON.parse(text) as Record<string, string>))
    await writeFile(join('/proc/sys', name), value);
  await rm(RECORD, { force: true });
}
