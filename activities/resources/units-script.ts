import { quote, quoteArgv } from '../host/quote.ts';
import type { UnitActions } from './resource.ts';

/**
 * The part of a batch script that carries out the wishes of neighbouring services together: enable, one daemon-reload,
 * then one restart for all that wait until their units are ready. `restart` also starts what does not run.
 */
export function unitsScript(actions: readonly UnitActions[]): string {
  const named = (test: (action: UnitActions) => boolean): string[] => actions.filter(test).map(({ unit }) => unit);
  const restarts = (action: UnitActions): boolean => action.run === 'restart' || action.run === 'start';
  const lines: string[] = [];
  const call = (verb: string, units: string[], options: string[] = [], after = ' >&2'): void => {
    if (units.length > 0) lines.push(`${quoteArgv(['systemctl', ...options, verb, '--', ...units])}${after}`);
  };

  call(
    'enable',
    named(({ enable }) => enable === true),
    ['--no-reload', '--quiet'],
  );
  call(
    'disable',
    named(({ enable }) => enable === false),
    ['--no-reload', '--quiet'],
  );
  if (actions.some(({ daemonReload }) => daemonReload)) lines.push('systemctl daemon-reload');
  // In a shell of its own: its variables and options are not those of the batch.
  for (const { beforeStop } of actions) if (beforeStop) lines.push(`(\n${beforeStop}\n) || exit 1`);
  call(
    'stop',
    named(({ run }) => run === 'stop'),
  );
  call(
    'reset-failed',
    named(({ resetFailed }) => resetFailed === true),
    [],
    ' 2>/dev/null || :',
  );
  call(
    'restart',
    named((action) => restarts(action) && !action.wait),
    ['--no-block'],
  );
  for (const verb of ['restart', 'reload-or-restart']) {
    const units = named((action) => action.wait && (verb === 'restart' ? restarts(action) : action.run === 'reload'));
    call(verb, units, [], ` >&2 || kw_units_failed ${units.map(quote).join(' ')}`);
  }
  for (const { stamp } of actions) {
    if (stamp) lines.push(`kw_stamp ${quote(stamp.path)} ${quote(stamp.content)}`);
  }
  return lines.join('\n');
}
