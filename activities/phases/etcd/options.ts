import { z } from 'zod';
import { dataDirectory } from '../../../contracts/data-directory.ts';
import { version } from '../../../contracts/primitives.ts';
import { ETCD } from './artifacts.ts';
import { bootstrapOption } from './bootstrap.ts';

const GIB = 1024 ** 3;

/** Options of the members, whatever starts them. */
export const etcdOptions = z.strictObject({
  version: version.default(ETCD.version),
  bootstrap: bootstrapOption,
  dataDir: dataDirectory.default('/var/lib/etcd'),
  quotaBytes: z
    .int()
    .min(64 * 1024 ** 2)
    .max(8 * GIB)
    .default(2 * GIB)
    .describe('Database size at which etcd refuses writes'),
  heartbeatMs: z.int().min(10).max(10_000).default(100),
  electionMs: z.int().min(100).max(50_000).default(1_000),
});

/** Place of the data folder in a spec, for messages. */
export const DATA_DIR_SETTING = 'spec.phases.etcd.dataDir';
export type EtcdOptions = z.output<typeof etcdOptions>;
