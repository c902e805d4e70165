import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The folder of package.json. */
export const checkoutRoot = resolve(import.meta.dirname, '../..');

/** What is expensive to make and good for every checkout of this machine. */
export const cacheRoot = process.env['KUBEWRIGHT_CACHE'] ?? join(homedir(), '.cache/kubewright');

/** The demo is one per machine, as its hosts are: its data does not live in a checkout. */
export const demoRoot = join(cacheRoot, 'demo');
