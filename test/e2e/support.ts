import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { ApiClient } from '../../cli/dev/api-client.ts';
import { demoRootOf } from '../../cli/dev/paths.ts';
import { ensureService, type RunningService, stopService } from '../../cli/dev/services.ts';
import { type Lab, type LabUpOptions, labDown, labUp } from '../../lab/lab.ts';
import type { LabRoles } from '../../lab/roles.ts';
import { resolveTemporalBinary } from '../../worker/temporal-server/resolve.ts';
import { requireChecked } from '../support/answers.ts';

const quiet = () => undefined;
export const run = promisify(execFile);

/** A lab of bare hosts with a Kubewright service of its own beside it. */
export interface Bench {
  name: string;
  folder: string;
  lab: Lab;
  service: RunningService;
  api: ApiClient;
  /** Start the service again on the same data, as after a crash. */
  restart(): Promise<void>;
  end(): Promise<void>;
}

/**
 * Fresh hosts and a fresh service; whatever an earlier run left under the name is removed first. `with`: phases whose files the
 * mirror has only on demand.
 */
export async function freshBench(
  name: string,
  hosts: number | LabRoles = 3,
  lab: Pick<LabUpOptions, 'with' | 'os'> = {},
): Promise<Bench> {
  const folder = demoRootOf(name);
  await stopService(folder);
  await labDown(name, quiet);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await resolveTemporalBinary({ onProgress: quiet });
  const made = await labUp({ name, hosts, ...lab, onProgress: quiet });
  const start = async () => {
    bench.service = await ensureService(folder, quiet, 0);
    await requireChecked(bench.service.url);
    bench.api = new ApiClient(bench.service.url, readFileSync(bench.service.tokenFile, 'utf8').trim());
  };
  const bench: Bench = {
    name,
    folder,
    lab: made,
    service: null as unknown as RunningService,
    api: null as unknown as ApiClient,
    restart: start,
    async end() {
      await stopService(folder);
      await labDown(name, quiet);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await start();
  return bench;
}

/** A command on a lab host over plain OpenSSH, with this text on its standard input: independent of the code under test. */
export async function ssh(
  host: { address: string; port: number; user: string; sshKey: string },
  command: string,
  input = '',
): Promise<string> {
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'ConnectTimeout=10'];
  const running = run(
    'ssh',
    [
      ...['-i', host.sshKey, '-p', String(host.port)],
      ...options.flatMap((option) => ['-o', option]),
      `${host.user}@${host.address}`,
      command,
    ],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  running.child.stdin?.end(input);
  return (await running).stdout;
}
