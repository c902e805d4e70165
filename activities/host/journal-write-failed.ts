import { KubewrightError } from '../../contracts/errors.ts';

/**
 * What failed, when its end could not be written into the journal either. Its own error is the one that counts; evidence
 * and causes then say what became of the record, which stays open. Both are redacted already.
 */
export function journalWriteFailed(failed: KubewrightError, unwritten: KubewrightError): KubewrightError {
  const { code, message, host, phase, blames, errors } = failed;
  const journal = `its end is not in the journal: ${unwritten.message} (${unwritten.evidence ?? unwritten.code})`;
  return new KubewrightError(code, message, {
    ...{ host, phase, blames, errors },
    evidence: `${failed.evidence ?? ''}\n${journal}`.trim(),
    cause: new Error(journal, failed.cause === undefined ? undefined : { cause: failed.cause }),
  });
}
