import type { UnitOptions } from '../../host/family/family.ts';
import { serverLine } from '../time/options.ts';
import type { TimeSources } from '../time/sources.ts';

/** What one host's chronyd is to do. */
export interface ChronyConf extends TimeSources {
  /** False where the kernel's clock is not this host's to set (containers). */
  steersClock: boolean;
}

/** chrony.conf. */
export function chronyConf(conf: ChronyConf): string {
  const serves = conf.allow.length > 0;
  return [
    '# Written by Kubewright.',
    // One second between the first polls, then rarer: a client follows within seconds of its start.
    ...conf.cluster.map((server) => `server ${server} iburst minpoll 0 maxpoll 6`),
    ...conf.servers.map(serverLine),
    ...conf.pools.map((pool) => `pool ${pool} iburst maxsources 4`),
    ...conf.peers.map((peer) => `peer ${peer} minpoll 2 maxpoll 6`),
    ...conf.allow.map((network) => `allow ${network}`),
    // Without any source the cluster still agrees with itself. `orphan`: several time servers choose one among them.
    ...(serves ? [conf.peers.length > 0 ? 'local stratum 10 orphan' : 'local stratum 10'] : []),
    'driftfile /var/lib/chrony/chrony.drift',
    'logdir /var/log/chrony',
    'makestep 1 3',
    ...(conf.steersClock ? ['rtcsync'] : []),
    '',
  ].join('\n');
}

/**
 * What the unit of the distribution reads before it starts chronyd. `-x` leaves the clock alone: daemons in several
 * containers would fight over one kernel's clock.
 */
export function chronyEnvironment(conf: { configFile: string; steersClock: boolean; options: UnitOptions }): string {
  const { variable, defaults } = conf.options;
  const words = [...defaults, '-f', conf.configFile, ...(conf.steersClock ? [] : ['-x'])];
  return `${variable}="${words.join(' ')}"\n`;
}
