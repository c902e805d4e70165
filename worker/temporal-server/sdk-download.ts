import { TestWorkflowEnvironment } from '@temporalio/testing';

// Child process of source-sdk.ts: makes the SDK download its server, which it can do only by starting it.
const [, , downloadDir, version] = process.argv;
if (!downloadDir || !version) throw new Error('usage: sdk-download.ts <folder> <version>');
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', version: `v${version}`, downloadDir, ttl: '365 days' } },
});
await environment.teardown();
