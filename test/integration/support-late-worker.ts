import { readFileSync } from 'node:fs';
import { KubewrightError } from '../../contracts/errors.ts';
import type { SshTarget } from '../../contracts/host.ts';
import { testPool } from '../fakes/test-pool.ts';

/**
 * A worker of its own process, for a test to stop and to let go on: claims a host, runs a long command, and then does
 * not give up but tries everything else that an attempt could. Writes one JSON line for each: what it was, how it ended.
 */
const { target, fence, long, folder } = JSON.parse(process.argv[2] ?? '{}') as {
  target: Pick<SshTarget, 'address' | 'port' | 'hostKey'> & Partial<SshTarget> & { keyFile: string };
  fence: { scope: string; token: string };
  long: string;
  folder: string;
};
const { keyFile, ...login } = target;
const { open, pool } = testPool({ key: { kind: 'key', privateKey: readFileSync(keyFile, 'utf8') } }, login, {
  keepaliveMs: 60_000,
});
const tell = (what: string, how: string) => process.stdout.write(`${JSON.stringify({ what, how })}\n`);
const attempt = async (what: string, work: () => Promise<unknown>) =>
  tell(
    what,
    await work().then(
      () => 'ran',
      (error: unknown) => (KubewrightError.is(error) ? error.code : String(error)),
    ),
  );

const { host } = await open({}, { fence });
await attempt('long', () => host.exec(['sh', '-c', long]));
await attempt('exec', () => host.exec(['touch', `${folder}/exec`]));
await attempt('script', () => host.script('touch "$1/script"', [folder]));
await attempt('upload', () => host.upload(`${folder}/upload`, 'x'));
await attempt('claim', () => open({}, { fence }));
await pool.close();
tell('end', 'ran');
