/** What others may use of the folder of preflight. */
export { scanChecks } from './checks.ts';
export { MACHINE_NOTE } from './machines.ts';
