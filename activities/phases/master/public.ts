/** What the other engine has in common with the phase master. */
export { AUDIT_DIR, daemonArguments } from './daemon-arguments.ts';
export { editorsObjects } from './editors.ts';
export { CONTROL_PLANE, settingsFiles, storeAccess } from './files.ts';
export { masterIssues } from './issues.ts';
export { type MasterOptions, masterOptions } from './options.ts';
export { turnOfControlPlane, waitForAnother } from './others-ready.ts';
export { controlPlanePorts } from './ports.ts';
export { servingRequest } from './serving.ts';
