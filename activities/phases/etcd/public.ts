/** What others may use of the folder of etcd. */
export { ETCD } from './artifacts.ts';
export { endpointPlaces, externalEtcd } from './external.ts';
export { DATA_DIR_SETTING, type EtcdOptions, etcdOptions } from './options.ts';
export { memberIssues } from './servers.ts';
