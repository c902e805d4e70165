import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { LIMITS } from './limits.ts';

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/**
 * RFC 1123 label: what Kubernetes, DNS and systemd all accept as a name. Capitals are refused, not changed: a name is
 * also the key of paths, tables and Kubernetes objects, and a person looks for it as they wrote it.
 */
export const dnsLabel = z
  .string()
  .max(LIMITS.dnsLabel)
  .regex(DNS_LABEL, {
    error: ({ input }) => {
      const lower = typeof input === 'string' ? input.toLowerCase() : '';
      return lower !== input && DNS_LABEL.test(lower)
        ? `must be in lower case, as Kubernetes requires for names of nodes and objects: \`${lower.slice(0, LIMITS.dnsLabel)}\``
        : 'must be a DNS label: lower-case letters, digits and inner hyphens';
    },
  });

/** The one form in which DNS names are kept and compared: DNS ignores case, and the dot that ends a full name. */
export const canonicalName = (name: string): string => name.toLowerCase().replace(/\.$/, '');

/** A DNS name of several labels, or one label; `Node1.Example.COM.` is read as `node1.example.com`. */
export const hostname = z
  .string()
  .max(254)
  .regex(/^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*\.?$/, 'must be a DNS name')
  .overwrite(canonicalName);

/** An IPv4 address in plain dotted form. */
export const ipv4 = z
  .string()
  .max(15)
  .refine((text) => ipaddr.IPv4.isValidFourPartDecimal(text), 'must be an IPv4 address');

/** An IPv4 network whose host bits are zero, such as 10.244.0.0/16. */
export const cidr = z
  .string()
  .max(18)
  .refine(
    (text) => {
      if (!/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/.test(text) || !ipaddr.IPv4.isValidCIDR(text)) return false;
      return ipaddr.IPv4.networkAddressFromCIDR(text).toString() === text.split('/')[0];
      // Without the abort, rules that span fields would be asked about a text that is no network.
    },
    { error: 'must be an IPv4 network such as 10.244.0.0/16, host bits zero', abort: true },
  );

/** Ranges of ipaddr.js that no machine has as its address. */
const NOT_ONE_HOST = new Set(['unspecified', 'broadcast', 'multicast']);

/**
 * Where SSH listens: an IPv4 address of one machine, or a DNS name in any case, with or without a final dot. Old resolvers
 * read 1.2.3 and 0x7f000001 as addresses.
 */
export const address = z.union(
  [
    ipv4.refine((text) => !isIpv4(text) || !NOT_ONE_HOST.has(rangeOf(text)), 'must be the address of one machine'),
    hostname.refine((text) => !/(^|\.)(\d+|0x[0-9a-f]*)$/.test(text), 'must be an IPv4 address'),
  ],
  { error: ({ input }) => notAnAddress(input) },
);

/** What is often written in place of an address. */
function notAnAddress(input: unknown): string | undefined {
  if (typeof input !== 'string') return undefined;
  if (input.includes('@')) return 'must be an IPv4 address or a DNS name alone, without a login name';
  if (/^[^:]+:\d+$/.test(input)) return 'must be an IPv4 address or a DNS name alone, without a port';
  if (/^\[?[0-9a-f]*:[0-9a-f:.]*\]?$/i.test(input))
    return 'must be an IPv4 address or a DNS name; this is an IPv6 address';
  if (input.includes('/')) return 'must be the address of one machine: an IPv4 address or a DNS name, without `/`';
  return undefined;
}

const isIpv4 = (text: string) => ipaddr.IPv4.isValidFourPartDecimal(text);

/** What kind of address it is in ipaddr.js's words: `unicast`, `private`, `loopback`, `linkLocal`, `multicast` ... */
export function rangeOf(ip: string): string {
  return ipaddr.IPv4.parse(ip).range();
}

/** Text of options that ends up in units, configuration files and flags: no quotes, no control characters, no shell. */
export const OPTION_TEXT = /^[A-Za-z0-9 _.,:=/@%+~*?^<()[\]{}-]*$/;

export const port = z.int().min(1).max(65535);

/** An absolute path without characters that any tool could read as more than a path. */
export const absolutePath = z
  .string()
  .max(LIMITS.pathLength)
  .regex(/^\/[A-Za-z0-9._/@+-]*$/, 'must be an absolute path of letters, digits and . _ - / @ +')
  .refine((text) => !text.split('/').includes('..'), 'must not contain ..');

/**
 * A login name as sshd takes it: of /etc/passwd, or of a directory (SSSD, winbind): `User.Name@Example.COM`, `DOMAIN\user`.
 * No spaces: sudo and PAM read them as the end of the name. 256 characters are Linux's own bound (LOGIN_NAME_MAX).
 */
export const loginName = z
  .string()
  .max(256)
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.@+\\-]*\$?$/,
    'must be a login name: letters, digits and . _ - @ + \\, without spaces',
  );

/** An exact version such as 1.36.3, without a leading v. */
export const version = z
  .string()
  .max(32)
  .regex(/^\d{1,4}\.\d{1,4}\.\d{1,4}$/, 'must be an exact version such as 1.36.3');

/** http or https address without credentials, query or fragment. */
export const httpUrl = z
  .string()
  .max(512)
  .regex(/^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?(\/[A-Za-z0-9._~/-]*)?$/, 'must be a plain http(s) address')
  .refine(
    (text) => Number(/^https?:\/\/[^/:]*:(\d+)/.exec(text)?.[1] ?? 80) <= 65535,
    'must have a port of at most 65535',
  );

/** Kubernetes label key: optional DNS prefix, name of at most 63. */
export const labelKey = z
  .string()
  .max(317)
  .regex(
    /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
    'must be a Kubernetes label key',
  );

/** Kubernetes label value. */
export const labelValue = z
  .string()
  .max(63)
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/, 'must be a Kubernetes label value');

/** True when the two networks share an address. */
export function cidrsOverlap(a: string, b: string): boolean {
  const [addressA, bitsA] = ipaddr.IPv4.parseCIDR(a);
  const [addressB, bitsB] = ipaddr.IPv4.parseCIDR(b);
  const bits = Math.min(bitsA, bitsB);
  return addressA.match(addressB, bits);
}

/** True when the address lies in the network. */
export function cidrContains(network: string, ip: string): boolean {
  return ipaddr.IPv4.parse(ip).match(ipaddr.IPv4.parseCIDR(network));
}

/** The nth address of a network: 1 is the first usable one. */
export function cidrAddress(network: string, n: number): string {
  const [base] = ipaddr.IPv4.parseCIDR(network);
  const value = base.octets.reduce((sum, octet) => sum * 256 + octet, 0) + n;
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
