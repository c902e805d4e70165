import { phaseOfFilled } from '../resources/filled.ts';
import type { LedgerEntry } from '../resources/ledger.ts';

/**
 * Names of the phases that left something on a host, as these entries of its ledger say: those that placed them, and those
 * whose pods and daemons filled what was noted for them. Pure.
 */
export const touchedPhases = (entries: readonly LedgerEntry[]): ReadonlySet<string> =>
  new Set(entries.flatMap((entry) => [entry.phase, phaseOfFilled(entry) ?? entry.phase]));
