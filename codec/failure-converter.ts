import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Puts message and stack trace of failures into a payload, so that the codec seals them: in Temporal's database they
 * would stand in clear. Loaded by its path, by clients and workers, and bundled with the workflows: nothing of Node here.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
