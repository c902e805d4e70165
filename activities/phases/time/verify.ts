import { keepEnd } from '../../../contracts/cut.ts';
import type { PhaseRun } from '../phase.ts';
import { maxOffsetOf, type TimeOptions } from './options.ts';
import { mustFollow, sourcesOf } from './sources.ts';

/** How long a daemon gets to follow a server and to bring the clock near it, seconds. */
const PATIENCE_S = 40;

/**
 * sh of a provider: defines `measure`, which prints `<offset in ms> <source>` when the daemon follows a source, nothing when it
 * follows none, and fails while it does not answer; and `sources`, which prints what a person wants to see.
 */
export interface TimeDaemon {
  name: string;
  measure: string;
}

/** Waits until the daemon follows a source that it has to follow, with the clock near enough. */
const WAIT = `
deadline=$(($(date +%s) + $3)) tries=0
state=silent
while :; do
  if said=$(measure 2>/dev/null); then
    state=running
    if [ -n "$said" ]; then
      state=far
      if printf '%s\\n' "$said" | awk -v max="$2" '{ exit !($1 <= max && -$1 <= max) }'; then state=near; break; fi
    elif [ "$1" = any ]; then break
    fi
  fi
  tries=$((tries + 1))
  [ "$tries" -lt 130 ] && [ "$(date +%s)" -lt "$deadline" ] || break
  sleep 0.3
done
printf '%s %s\\n' "$state" "$said"
[ "$state" = near ] || sources 2>&1 || :
`;

/**
 * Verifies a provider: it follows what it has to follow, and the clock is near. Throws TIME_UNSYNCHRONIZED and TIME_OFFSET.
 */
export async function verifyTime(run: PhaseRun<TimeOptions>, daemon: TimeDaemon): Promise<void> {
  const { cluster, host, options, remote, fail } = run;
  const followed = mustFollow(sourcesOf(cluster, host, options));
  const most = maxOffsetOf(options);
  const { stdout } = await remote.script(
    `${daemon.measure}${WAIT}`,
    [followed.length > 0 ? 'one' : 'any', String(most), String(PATIENCE_S)],
    { timeoutMs: (PATIENCE_S + 15) * 1000 },
  );
  const [first = '', ...rest] = stdout.split('\n');
  const [state, offset, source] = first.split(' ');
  const evidence = keepEnd(rest.join('\n'), 1000);
  if (state === 'near') return;
  if (state === 'far')
    fail('TIME_OFFSET', `the clock of ${host.name} is ${offset} ms away from ${source}; allowed ${most} ms`, evidence);
  if (state === 'running' && followed.length === 0) return;
  const what = state === 'silent' ? 'does not answer' : `does not follow ${followed.join(' or ')}`;
  fail('TIME_UNSYNCHRONIZED', `${daemon.name} on ${host.name} ${what}`, evidence);
}
