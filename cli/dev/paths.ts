import { join, resolve } from 'node:path';
import { defaultCacheDir } from '../../lab/paths.ts';

/** The folder of package.json. */
export const checkoutRoot = resolve(import.meta.dirname, '../..');

/** Folder of a demo: data, logs, kubeconfig. As its hosts, one per machine and name: it does not live in a checkout. */
export const demoRootOf = (name: string): string => join(defaultCacheDir(), 'demo', name);
