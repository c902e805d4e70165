/** For what else starts a test pod: the API's answers about a cluster, the demo. */
export { BUSYBOX } from './artifacts.ts';
