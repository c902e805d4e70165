export { type ExternalEtcd, endpointPlaces, externalEtcd } from './external.ts';
