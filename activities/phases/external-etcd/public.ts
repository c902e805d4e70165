/** What others may use of the folder of the external etcd. */
export { type EndpointView, viewOf } from './answers.ts';
export { ASK, callBody, readAnswer, readAnswers, readCall } from './ask.ts';
export { CLAIMED } from './claim.ts';
export { encodeMessage, type Field, type Message } from './protobuf.ts';
export {
  CALLS,
  COMPACT_KEY,
  claimed,
  claimOf,
  edgesOf,
  keysBelow,
  markerKey,
  oneKey,
  rangeOf,
  statusOf,
  wouldWrite,
} from './requests.ts';
