/** Folders that hold more than anything of ours: never removed as a whole. */
const KEEP = new Set(
  '/bin /boot /dev /etc /home /lib /lib64 /media /mnt /opt /proc /root /run /sbin /srv /sys /tmp /usr /usr/bin /usr/lib /usr/local /usr/local/bin /usr/sbin /usr/share /var /var/lib /var/log /etc/systemd /etc/systemd/system'.split(
    ' ',
  ),
);

/**
 * A path as resources take it: absolute, normal (no `.`, `..`, `//`, trailing `/`), without control characters.
 * Throws an Error otherwise: a programming mistake, specs are checked before.
 */
export function absolute(path: string): string {
  const parts = path.split('/');
  const normal = parts[0] === '' && parts.length > 1 && parts.slice(1).every((part) => !['', '.', '..'].includes(part));
  const control = path.split('').some((character) => character < ' ' || character === '\x7f');
  if (!normal || control) throw new Error(`not a normal absolute path: ${JSON.stringify(path)}`);
  return path;
}

/** The same, for what gets removed. */
export function removable(path: string): string {
  if (KEEP.has(absolute(path))) throw new Error(`refusing to remove ${path}`);
  return path;
}
