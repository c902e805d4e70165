import type { HealthProbe } from '../phase.ts';
import type { RequiresView } from '../requires.ts';
import { maxOffsetOf, type TimeOptions } from './options.ts';
import { mustFollow, sourcesOf } from './sources.ts';
import type { TimeDaemon } from './verify.ts';

/**
 * `time <followed | free> <allowed ms> <offset in ms> <source>`: without the last two where the daemon follows nothing; `free` says that
 * it need not. Nothing where it does not answer: its unit has a reason of its own. Pure.
 */
export const timeProbe =
  ({ measure }: TimeDaemon) =>
  ({ cluster, host, options }: RequiresView<TimeOptions>): HealthProbe => ({
    script: {
      text: `${measure}
if said=$(measure 2>/dev/null); then say time "$1" "$2" "\${said%% *}" "\${said#* }"; fi`,
      args: [
        mustFollow(sourcesOf(cluster, host, options)).length > 0 ? 'followed' : 'free',
        String(maxOffsetOf(options)),
      ],
    },
  });
