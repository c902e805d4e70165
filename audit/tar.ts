/**
 * Plain ustar archives with one form only: regular files, mode 0644, owner 0, time 0, no padding behind the end. Every
 * byte of such an archive follows from the names, sizes and contents of its files, so that any other byte is a change.
 * `tar xf` reads them anywhere.
 */
export const BLOCK = 512;
const NAME_BYTES = 100;
/** Eleven octal digits. */
const MOST_BYTES = 8 ** 11 - 1;

/** The header of a file. Throws RangeError when name or size do not fit. */
export function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(name) > NAME_BYTES || name === '') throw new RangeError(`no name in a tar: ${name}`);
  if (size > MOST_BYTES) throw new RangeError(`${name} is too large for a tar`);
  header.write(name, 0, 'utf8');
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\u000000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** Zeros behind a content of this size. */
export const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

/** What stands behind the last file. */
export const tarEnd = (): Buffer => Buffer.alloc(2 * BLOCK);

/** Name and size of a header; null at the end of the archive. Throws Error when it is not exactly such a header. */
export function readTarHeader(header: Buffer): { name: string; size: number } | null {
  if (header.every((byte) => byte === 0)) return null;
  const end = header.indexOf(0);
  const name = header.subarray(0, Math.min(end < 0 ? NAME_BYTES : end, NAME_BYTES)).toString('utf8');
  const digits = header.subarray(124, 135).toString('latin1');
  const size = /^[0-7]{11}$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
  if (name === '' || Number.isNaN(size) || !tarHeader(name, size).equals(header)) {
    throw new Error('the header of a file was changed');
  }
  return { name, size };
}
