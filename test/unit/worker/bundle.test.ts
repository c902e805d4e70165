import { chownSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleDigest, workflowBundlePath } from '../../../worker/bundle.ts';

const OLD = new Date('2024-01-01T00:00:00Z');
/** Any user but the one of the tests. */
const ANOTHER = 10_001;

describe('a bundle that is there', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kubewright-bundle-'));
    path = join(folder, `${bundleDigest()}.js`);
    writeFileSync(path, '// made with the image');
    utimesSync(path, OLD, OLD);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is kept from being pruned when it is ours', async () => {
    expect(await workflowBundlePath({ cacheDir: folder })).toBe(path);
    expect(statSync(path).mtimeMs).toBeGreaterThan(OLD.getTime());
  });

  it.skipIf(process.getuid?.() !== 0)('is used unchanged when it belongs to another user', async () => {
    chownSync(path, ANOTHER, ANOTHER);
    expect(await workflowBundlePath({ cacheDir: folder })).toBe(path);
    expect(statSync(path).mtimeMs).toBe(OLD.getTime());
  });
});
