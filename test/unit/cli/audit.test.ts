import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Sample, sampleOperation } from '../audit/sample.ts';

let sample: Sample;
let bundle: string;
beforeAll(async () => {
  sample = await sampleOperation();
  bundle = await sample.bundle();
});
afterAll(() => sample.close());

vi.setConfig({ testTimeout: 180_000 });

const main = join(import.meta.dirname, '../../../cli/main.ts');
/** The real process, as `npx kubewright` starts it. */
function kubewright(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
  expect(stderr).not.toMatch(/\n {4}at |node:internal/);
  return { code: status, out: stdout, err: stderr };
}
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(sample.folder, name);
  writeFileSync(path, content);
  return path;
};

it('`audit verify` exits with 0 for an unchanged bundle, otherwise with 1, and names the first bad record', () => {
  const key = file('key.pem', sample.signer.publicKey);
  expect(kubewright('audit', 'verify', bundle, '--key', key)).toMatchObject({ code: 0, err: '' });
  const { fingerprint } = sample.signer;
  expect(kubewright('audit', 'verify', bundle, '--fingerprint', fingerprint)).toMatchObject({ code: 0, err: '' });
  const unknown = kubewright('audit', 'verify', bundle);
  expect(unknown).toMatchObject({ code: 2, err: '' });
  expect(unknown.out).toMatch(/^internally consistent, signer unknown: /);
  const bytes = readFileSync(bundle);
  const at = bytes.indexOf('"step","3"');
  const id = /"id":"([0-9A-Z]{26})"/.exec(bytes.subarray(at, at + 2000).toString('utf8'))![1]!;
  bytes[at + 8] = 0x34;
  const changed = kubewright('audit', 'verify', file('changed.tar', bytes));
  expect(changed).toMatchObject({ code: 1, err: '' });
  // The reader is gone before anything is written.
  const piped = `"$0" "$1" audit verify "$2" | true; exit "\${PIPESTATUS[0]}"`;
  const argv = ['-c', piped, process.execPath, main, join(sample.folder, 'changed.tar')];
  expect(spawnSync('bash', argv, { encoding: 'utf8' })).toMatchObject({ status: 1, stderr: '' });
  expect(changed.out.split('\n')[0]).toMatch(new RegExp(`^CHANGED: chain\\.jsonl: link \\d+, record ${id} `));
});

it('`audit verify` reports an unreadable bundle or key file differently from a changed bundle', () => {
  expect(kubewright('audit', 'verify', join(sample.folder, 'absent'))).toMatchObject({ code: 1, out: '' });
  const noKey = kubewright('audit', 'verify', bundle, '--key', file('no-key.pem', 'x'));
  expect(noKey).toMatchObject({ code: 1, out: '' });
  expect(noKey.err).toContain('no-key.pem holds no Ed25519 public key');
});

it('`audit check` does the same for a database', () => {
  const folder = join(sample.folder, 'copy');
  mkdirSync(folder);
  for (const end of ['', '-wal']) {
    copyFileSync(join(sample.folder, `kubewright.db${end}`), join(folder, `kubewright.db${end}`));
  }
  const key = file('check-key.pem', sample.signer.publicKey);
  expect(kubewright('audit', 'check', '--data', folder, '--key', key)).toMatchObject({ code: 0, err: '' });
  const unknown = kubewright('audit', 'check', '--data', folder);
  expect(unknown).toMatchObject({ code: 2, err: '' });
  expect(unknown.out).toMatch(/^internally consistent, signer unknown: /);
  const database = new DatabaseSync(join(folder, 'kubewright.db'));
  const { id } = database.prepare(`select id from journal where host = 'w-1' limit 1`).get() as { id: string };
  database.exec(`update journal set actor = 'nobody' where id = '${id}'`);
  database.close();
  const { code, out } = kubewright('audit', 'check', '--data', folder);
  expect(code).toBe(1);
  expect(out).toContain(`record ${id}`);
  expect(kubewright('audit', 'check', '--data', join(folder, 'absent'))).toMatchObject({ code: 1, out: '' });
});

it('help explains the exit codes', () => {
  expect(kubewright('audit', 'verify', '--help')).toMatchObject({
    code: 0,
    out: expect.stringContaining('Exit code 0'),
  });
  expect(kubewright('--version').code).toBe(0);
});
