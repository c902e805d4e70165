import { defaultPayloadConverter, type Payload, type PayloadConverter } from '@temporalio/common';
import { PROOF_METADATA, type Proof, Unproven, withProof } from '../contracts/provenance.ts';

const decoder = new TextDecoder();

/**
 * Values with the proof that the worker's codec found. Loaded by its path, by workers, and bundled with the workflows:
 * nothing of Node here. It throws for nothing that a stranger sent: a workflow must be able to refuse it.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value) => defaultPayloadConverter.toPayload(value),
  fromPayload<T>(payload: Payload): T {
    const metadata = payload.metadata?.[PROOF_METADATA];
    if (!metadata) return defaultPayloadConverter.fromPayload<T>(payload);
    const proof = JSON.parse(decoder.decode(metadata)) as Proof;
    const value = proof.by === 'none' ? readable(payload) : defaultPayloadConverter.fromPayload<unknown>(payload);
    if (typeof value === 'object' && value !== null) return withProof(value, proof) as T;
    return (proof.by === 'none' ? withProof(new Unproven(value), proof) : value) as T;
  },
};

/** What a stranger's payload says, when it is JSON. */
function readable(payload: Payload): unknown {
  try {
    return defaultPayloadConverter.fromPayload<unknown>(payload);
  } catch {
    return undefined;
  }
}
