import {
  ApplicationFailure,
  DefaultFailureConverter,
  type FailureConverter,
  type PayloadConverter,
  type ProtoFailure,
} from '@temporalio/common';
import { proofOf, withProof } from '../contracts/provenance.ts';

/**
 * Puts message and stack trace of failures into a payload, so that the codec seals them: in Temporal's database they
 * would stand in clear. Failures of activities carry the proof of that payload, so that a workflow knows whose words
 * they are. Loaded by its path, by clients and workers, and bundled with the workflows: nothing of Node here.
 */
class SealedFailureConverter extends DefaultFailureConverter implements FailureConverter {
  override failureToError(
    failure: ProtoFailure,
    payloadConverter: PayloadConverter,
    ...more: Parameters<DefaultFailureConverter['failureToError']> extends [unknown, unknown, ...infer Rest] ? Rest : []
  ): Error {
    const error = super.failureToError(failure, payloadConverter, ...more);
    if (!(error instanceof ApplicationFailure)) return error;
    const { encodedAttributes } = failure;
    return withProof(error, proofOf(encodedAttributes ? payloadConverter.fromPayload(encodedAttributes) : undefined));
  }
}

export const failureConverter = new SealedFailureConverter({ encodeCommonAttributes: true });
