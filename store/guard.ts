import { KubewrightError } from '../contracts/errors.ts';

/**
 * The same object, whose async methods throw STORE_FAILED instead of a driver's own error. The driver's words are kept as
 * evidence: they name the statement's problem and never a value.
 */
export function guarded<T extends object>(part: T): T {
  const wrapped = Object.entries(part).map(([name, member]) => {
    if (typeof member !== 'function') return [name, member] as const;
    const call = (...args: unknown[]): unknown => {
      const result: unknown = (member as (...args: unknown[]) => unknown).apply(part, args);
      return result instanceof Promise ? result.catch((error: unknown) => Promise.reject(asStoreError(error))) : result;
    };
    return [name, call] as const;
  });
  return Object.fromEntries(wrapped) as T;
}

/** Any error as one of ours. */
export function asStoreError(error: unknown): KubewrightError {
  if (KubewrightError.is(error)) return error;
  const evidence = error instanceof Error ? error.message.slice(0, 500) : undefined;
  return new KubewrightError('STORE_FAILED', 'the database did not do what was asked', { cause: error, evidence });
}
