/** What other phases may use of the folder of prepare. */
export { basePackages } from './packages.ts';
