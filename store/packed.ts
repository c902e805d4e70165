import { deflateSync, inflateSync } from 'node:zlib';

/** No value that we pack is larger, in bytes: a plan of 1,000 hosts is some hundred KiB. */
const LARGEST = 64 * 1024 * 1024;

/** A value as deflated JSON. */
export const packed = (value: unknown): Uint8Array => deflateSync(JSON.stringify(value), { level: 1 });

/** The value of `packed`. Throws when the bytes are not what `packed` made, or more than 64 MiB. */
export function unpacked(data: Uint8Array): unknown {
  return JSON.parse(inflateSync(data, { maxOutputLength: LARGEST }).toString('utf8'));
}
