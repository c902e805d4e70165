import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { workflowBundlePath } from '../../worker/bundle.ts';
import { startTemporalServer } from '../../worker/temporal-server/start.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** host:port of the one Temporal server of the run. */
    temporalAddress: string;
    /** The one workflow bundle of the run. */
    workflowBundle: string;
  }
}

/** One Temporal server and one bundle for all workflow tests of a run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'kubewright-temporal-'));
  const say = (line: string) => process.stderr.write(`${line}\n`);
  try {
    project.provide('workflowBundle', await workflowBundlePath({ onProgress: say }));
    const server = await startTemporalServer({ dataDir, headless: true, onLog: say });
    project.provide('temporalAddress', server.address);
    return async () => {
      await server.close();
      rmSync(dataDir, { recursive: true, force: true });
    };
  } catch (error) {
    rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
}
