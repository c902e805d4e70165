/** What others may use of the folder of etcd. */
export { endpointPlaces, externalEtcd } from './external.ts';
