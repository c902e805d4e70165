export { endpointPlaces, externalEtcd } from './external.ts';
