import type { RequiredTimeDaemon } from '../requires.ts';

/** Units of time daemons in distributions, without `.service`; some are names of one and the same. */
const UNITS = ['chrony', 'chronyd', 'ntp', 'ntpd', 'ntpsec', 'openntpd'];

/**
 * A daemon for `requires`, by the names of its unit in all families. systemd-timesyncd is no rival: the packages of the others replace it, and a
 * teardown brings it back. Pure.
 */
export const timeDaemon = (...names: [string, ...string[]]): RequiredTimeDaemon => ({
  name: names[0],
  units: names,
  rivals: UNITS.filter((unit) => !names.includes(unit)),
});
