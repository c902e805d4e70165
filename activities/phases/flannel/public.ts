/** What others may use of the folder of flannel. */
export { type CallResult, callEtcd, type EtcdAccess, type EtcdCall, isDone } from './etcd-calls.ts';
export {
  addRole,
  addUser,
  below,
  CALLS,
  deleteKeys,
  grantPrefix,
  grantRole,
  isAuthEnabled,
  NOTHING,
  put,
} from './etcd-requests.ts';
export { FLANNEL_ETCD_USER } from './identity.ts';
export { networkConfig } from './network-config.ts';
export { etcdSubnetsOf, flannelOptionsOf } from './options.ts';
