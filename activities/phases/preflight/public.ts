/** What others may use of the folder of preflight. */
export { scanChecks } from './checks.ts';
export { MACHINE_KEY } from './machines.ts';
