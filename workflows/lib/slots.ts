/** Of a workflow that runs tasks: how many it may have in flight, and how many it could make use of. */
export interface SlotUse {
  slots: number;
  demand: number;
}

/**
 * Hand free slots to batches: in their order, to each what it can use. Slots are only given here; a batch returns what it
 * has no use for by itself. Less than a tenth of the total is not worth a message, unless it is all that is wanted.
 */
export function handOut(total: number, reserved: number, batches: readonly SlotUse[]): number[] {
  let free = total - reserved - batches.reduce((sum, { slots }) => sum + slots, 0);
  const worthwhile = Math.ceil(total / 10);
  return batches.map(({ slots, demand }) => {
    const wanted = Math.min(demand - slots, free);
    if (wanted <= 0 || (wanted < worthwhile && wanted < demand - slots)) return slots;
    free -= wanted;
    return slots + wanted;
  });
}

/**
 * Slots that batches must leave to the operation's own tasks. Few hosts, whose chain all others wait for: they never stand
 * behind the many.
 */
export function reservedSlots(total: number, own: { demand: number; hosts: number; finished: boolean }): number {
  if (own.finished || total < 2) return 0;
  return own.demand === 0 ? 1 : Math.max(1, Math.min(own.hosts * 3, Math.floor(total / 4)));
}
