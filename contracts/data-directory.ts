import { absolutePath } from './primitives.ts';

/**
 * Folders of the system in which no daemon of ours may keep its data. The units see some of them empty or otherwise than
 * other users (ProtectHome, PrivateTmp), some are emptied at a boot, the rest belong to the kernel, the boot loader, the
 * administrator or the package manager.
 */
const CLOSED: readonly string[] = [
  ...['/bin', '/boot', '/dev', '/etc', '/home', '/lib', '/lib32', '/lib64', '/libx32', '/lost+found', '/proc'],
  ...['/root', '/run', '/sbin', '/sys', '/tmp', '/usr', '/var/lock', '/var/run', '/var/tmp', '/var/mail', '/var/spool'],
  // Of the package managers, of systemd, and what a system is known or entered by.
  ...[
    '/var/cache/apt',
    '/var/cache/dnf',
    '/var/lib/apt',
    '/var/lib/dnf',
    '/var/lib/dpkg',
    '/var/lib/rpm',
    '/var/lib/ucf',
  ],
  ...['/var/lib/dbus', '/var/lib/pam', '/var/lib/private', '/var/lib/sudo', '/var/lib/systemd', '/var/log/journal'],
  ...[
    '/var/lib/NetworkManager',
    '/var/lib/alternatives',
    '/var/lib/cloud',
    '/var/lib/dhcp',
    '/var/lib/polkit-1',
    '/var/lib/selinux',
    '/var/lib/snapd',
    '/var/lib/sss',
  ],
  // Roots of systems that are made otherwise, and boot partitions of their own.
  ...['/cgroup', '/efi', '/nix', '/ostree', '/selinux', '/snap', '/sysroot'],
];

/** Folders that hold those of many: data may lie in them, never be them. */
const SHARED: readonly string[] = [
  ...['/', '/media', '/mnt', '/opt', '/srv', '/var', '/var/backups', '/var/cache', '/var/crash', '/var/db', '/var/lib'],
  ...['/var/lib/misc', '/var/local', '/var/log', '/var/opt'],
];

/**
 * Folders below closed ones that persons or services may have been given: a link may lead into them, when what it leads to
 * belongs to us.
 */
const LENT: readonly string[] = ['/home', '/root', '/tmp', '/var/tmp'];

/**
 * The system's folders, for scripts on hosts. `trees`: those that are closed with all that is in them; `folders`: those
 * that are the system's themselves, not what lies in them.
 */
export const SYSTEM_FOLDERS = {
  trees: CLOSED.filter((folder) => !LENT.includes(folder)),
  folders: [...SHARED, ...LENT],
} as const;

/** Is `inner` the folder itself, or below it? Both normal. Pure. */
export const isWithin = (inner: string, folder: string): boolean =>
  inner === folder || inner.startsWith(folder === '/' ? '/' : `${folder}/`);

/** The path without `//`, `.` and a slash at its end. What is not an absolute path stays as it is. Pure. */
export function normalPath(path: string): string {
  if (!path.startsWith('/')) return path;
  return `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`;
}

/** Why nothing of ours may be written to a normal path, as the end of a sentence; null when it may. Pure. */
export function systemFolderProblem(path: string): string | null {
  const closed = CLOSED.find((folder) => isWithin(path, folder));
  if (closed !== undefined)
    return path === closed ? 'is a folder of the system' : `is in ${closed}, a folder of the system`;
  if (SHARED.includes(path)) return 'is a folder of the system';
  const below = [...CLOSED, ...SHARED].find((folder) => isWithin(folder, path));
  return below === undefined ? null : `holds ${below}, a folder of the system`;
}

/**
 * A folder that a daemon fills, and a teardown removes with all that is in it: an absolute path in its normal form, that is
 * no folder of the system, holds none, and is in none where data does not belong. That no other phase has it, or a part
 * of it, is checked over the whole spec: see `folderIssues` in activities/phases/folders.ts.
 */
export const dataDirectory = absolutePath.overwrite(normalPath).superRefine((path, context) => {
  const problem = systemFolderProblem(path);
  if (problem !== null) context.addIssue({ code: 'custom', message: `${problem}; give a folder of its own` });
});
