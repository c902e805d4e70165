// The bundle's entry: every workflow type by its name.
export { cluster } from './cluster.ts';
export { operation } from './operation.ts';
export { phaseBatch } from './phase-batch.ts';
