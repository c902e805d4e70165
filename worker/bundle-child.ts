import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { FAILURE_CONVERTER_PATH, PAYLOAD_CONVERTER_PATH } from '../codec/data-converter.ts';

// Child process of bundle.ts: bundle the workflows into the file named by the first argument.
const target = process.argv[2];
if (!target) throw new Error('usage: bundle-child.ts <target file>');
const { code } = await bundleWorkflowCode({
  workflowsPath: join(import.meta.dirname, '../workflows/index.ts'),
  workflowInterceptorModules: [join(import.meta.dirname, '../workflows/interceptors.ts')],
  payloadConverterPath: PAYLOAD_CONVERTER_PATH,
  failureConverterPath: FAILURE_CONVERTER_PATH,
  logger: new DefaultLogger('WARN'),
});
writeFileSync(target, code);
