import { keepEnds } from '../../contracts/cut.ts';
import type { Change } from '../../contracts/operation.ts';
import { printableLine } from '../../contracts/printable.ts';
import type { Redactor } from './redact.ts';

/** A change is one line of words; the longest path fits. */
const MOST_CHARS = 500;

/**
 * A change as it may be shown: its text quotes the host (the name that it had, what its ledger says), so secrets are
 * masked, acting characters written out, and it is cut.
 */
export function shownChange(change: Change, redactor: Redactor): Change {
  const line = (text: string) => keepEnds(printableLine(redactor.text(text)), MOST_CHARS);
  return { ...change, resource: line(change.resource), detail: line(change.detail) };
}
