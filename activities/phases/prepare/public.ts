/** What other phases may use of the folder of prepare. */
export { preparedWith } from './options.ts';
export { SYSCTL_FILE, settingsOf } from './settings.ts';
