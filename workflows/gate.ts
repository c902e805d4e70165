import { type ApplicationFailure, patched, proxySinks, type Sinks } from '@temporalio/workflow';
import { claimsOf, type RefusedMessage } from '../contracts/provenance.ts';
import { refusal } from './messages.ts';

/** What workflows report to their worker: it journals refused messages. */
export interface RefusalSinks extends Sinks {
  refusals: { refused(message: RefusedMessage): void };
}

const { refusals } = proxySinks<RefusalSinks>();

/**
 * False while an execution of a version before sealed places is replayed up to where it stands; everything that comes
 * later has to prove itself.
 */
export const isStrict = (): boolean => patched('sealed-for-its-place');

/** Have a refusal journaled. Returns it as the failure that the sender gets. */
export function refuse(message: string, argument: unknown, why: string): ApplicationFailure {
  refusals.refused({ message, why, claims: claimsOf(argument) });
  return refusal('COMMAND_REFUSED', `${message} was refused: ${why}`);
}
