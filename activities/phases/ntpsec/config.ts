import ipaddr from 'ipaddr.js';
import { ipv4 } from '../../../contracts/primitives.ts';
import { serverLine } from '../time/options.ts';
import { mustFollow, type TimeSources } from '../time/sources.ts';

const isAddress = (text: string): boolean => ipv4.safeParse(text).success;

/** `10.0.0.0 mask 255.0.0.0`, or one address. */
function network(text: string): string {
  const [address = '', bits] = text.split('/');
  if (bits === undefined) return address;
  return `${address} mask ${ipaddr.IPv4.subnetMaskFromPrefixLength(Number(bits)).toString()}`;
}

/**
 * ntp.conf. `steersClock`: false where the kernel's clock is not this host's to set (containers): ntpd then compares and serves.
 *
 * ntpd applies `restrict` to the answers of its own servers too, and `restrict source` has no effect in 1.2.2: so only a host that
 * knows all its sources by address can refuse to serve others; with names it answers everyone, at a limited rate, as the configuration of the
 * distribution does.
 */
export function ntpConf({ steersClock, ...sources }: TimeSources & { steersClock: boolean }): string {
  const { cluster, peers, servers, pools, allow } = sources;
  const byAddress = pools.length === 0 && mustFollow(sources).every(isAddress);
  const known = [...new Set([...mustFollow(sources), ...peers])].filter(isAddress);
  return [
    '# Written by Kubewright.',
    // 8 seconds between the first questions: the smallest step that ntpd takes.
    ...[...cluster, ...peers].map((server) => `server ${server} iburst minpoll 3 maxpoll 6`),
    ...servers.map(serverLine),
    ...pools.map((pool) => `pool ${pool} iburst`),
    // Without any source a time server goes on serving: the hosts still agree with each other.
    `tos minsane 1${pools.length === 0 ? ' minclock 1' : ''}${allow.length > 0 ? ' orphan 10 orphanwait 1' : ''}`,
    'driftfile /var/lib/ntpsec/ntp.drift',
    ...(steersClock ? [] : ['disable ntp']),
    `restrict default ${byAddress ? 'noserve' : 'kod limited'} nomodify noquery`,
    ...known
      .filter((address) => byAddress && !allow.includes(address))
      .map((each) => `restrict ${each} nomodify noquery`),
    ...allow.map((each) => `restrict ${network(each)} nomodify noquery`),
    'restrict 127.0.0.1',
    'restrict ::1',
    '',
  ].join('\n');
}
