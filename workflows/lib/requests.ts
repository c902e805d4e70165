import type { KnownRequest } from '../../contracts/actions.ts';
import { LIMITS } from '../../contracts/limits.ts';

/** The last request ids with what they asked, so that a repeated request is the same operation. Survives continue-as-new. */
export class RequestMemory {
  private readonly known: KnownRequest[];

  constructor(known: readonly KnownRequest[] = []) {
    this.known = [...known];
  }

  find(requestId: string): KnownRequest | undefined {
    return this.known.find((each) => each.requestId === requestId);
  }

  remember(request: KnownRequest): void {
    this.known.push(request);
    if (this.known.length > LIMITS.requestIds) this.known.shift();
  }

  /** The newest operation id that was given out. */
  get lastOperationId(): string | undefined {
    return this.known.at(-1)?.operationId;
  }

  get all(): KnownRequest[] {
    return [...this.known];
  }
}
