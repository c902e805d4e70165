import type { ErrorCode } from '../../contracts/errors.ts';

/** A catalogue code inside a script, checked by the compiler. */
export const shCode = (code: ErrorCode): string => code;
