import type { PauseInput } from '../../contracts/actions.ts';
import type { OperationStatus } from '../../contracts/operation.ts';

export type Pause = NonNullable<OperationStatus['pause']>;

/** Whether tasks may start. Our own flag, not the server's workflow pause: queries and decisions stay answered. */
export class PauseGate {
  private current: Pause | undefined;

  /** The pause in force, as shown in the status. */
  get pause(): Pause | undefined {
    return this.current;
  }

  get open(): boolean {
    return this.current === undefined;
  }

  /** Close the gate. A later `interrupt` sharpens a `drain`, never the other way round. */
  close(input: Pick<PauseInput, 'actor' | 'mode' | 'reason'>, at: string): void {
    if (this.current) {
      if (input.mode === 'interrupt') this.current = { ...this.current, mode: 'interrupt' };
      return;
    }
    this.current = {
      by: input.actor.name,
      at,
      mode: input.mode,
      ...(input.reason === undefined ? {} : { reason: input.reason }),
    };
  }

  /** Open it again. */
  reopen(): void {
    this.current = undefined;
  }
}
