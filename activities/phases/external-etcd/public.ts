/** What others may use of the folder of the external etcd. */
export { type EndpointView, viewOf } from './answers.ts';
export { ASK, callBody, readAnswer, readAnswers, readCall } from './ask.ts';
export { CLAIMED } from './claim.ts';
export { CALLS, COMPACT_KEY, edgesOf, keysBelow, markerKey, oneKey, statusOf, wouldWrite } from './requests.ts';
