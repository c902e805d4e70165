import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Image } from '../../../activities/artifacts/image.ts';
import { ArtifactResolver } from '../../../activities/artifacts/mirror-artifacts.ts';
import { imageRef } from '../../../activities/kube/images.ts';
import type { Phase } from '../../../activities/phases/phase.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { mirrorKubectl } from '../../../cli/dev/mirror-kubectl.ts';
import { type ClusterSpec, clusterSpec } from '../../../contracts/cluster.ts';
import { execInHost, inNetworkOf } from '../../../lab/faults.ts';
import { run } from '../../../lab/run.ts';
import type { ClusterSpecInput } from '../../../lab/types.ts';
import type { Bench } from '../../e2e/support.ts';

const KUBECTL_TIMEOUT_MS = 180_000;

/** What the steps of a case work with. The cluster is asked with kubectl on this machine alone, by a kubeconfig of the API. */
export interface MatrixKit {
  bench: Bench;
  phases: readonly Phase[];
  /** The spec that was sent last, with its defaults. */
  cluster: ClusterSpec;
  /** The same as it was sent. */
  document: ClusterSpecInput;
  /** Standard output. Throws an Error with what kubectl wrote. `input`: its standard input. */
  kubectl: (argv: readonly string[], input?: string) => Promise<string>;
  /** The answer of `kubectl get ... -o json`. */
  get: <T>(...argv: readonly string[]) => Promise<T>;
  apply: (objects: readonly object[]) => Promise<void>;
  /** Reads the kubeconfig again: it follows the endpoint. */
  readKubeconfig: () => Promise<void>;
  /** Runs a script as root on a host, beside SSH and the cluster. Throws an Error with what it wrote. */
  onHost: (host: string, script: string) => Promise<string>;
  /** Rules of the packet filter of a host, without counters, by the nft of this machine: those that no program of the host shows any more. */
  packetFilter: (host: string) => Promise<string>;
  /** The reference of an image in the cluster. */
  image: (image: Image) => Promise<string>;
}

export async function createKit(bench: Bench, document: ClusterSpecInput): Promise<MatrixKit> {
  const kubeconfig = join(bench.folder, 'kubeconfig');
  const program = await mirrorKubectl(bench.folder);
  const kit: MatrixKit = {
    bench,
    phases: await loadPhases(),
    cluster: clusterSpec.parse(document),
    document,
    kubectl: (argv, input) => runProgram(program, ['--kubeconfig', kubeconfig, ...argv], input),
    get: async <T>(...argv: readonly string[]) => JSON.parse(await kit.kubectl(['get', ...argv, '-o', 'json'])) as T,
    apply: async (objects) => {
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      await kit.kubectl(['apply', '-f', '-'], JSON.stringify(list));
    },
    readKubeconfig: async () => {
      const text = await bench.api.request<string>('GET', `/clusters/${bench.name}/kubeconfig`);
      writeFileSync(kubeconfig, text, { mode: 0o600 });
    },
    onHost: async (host, script) => {
      const { code, stdout, stderr } = await execInHost(bench.lab, host, ['sh', '-euc', script]);
      if (code !== 0) throw new Error(`on ${host}: exit code ${code}: ${stdout}${stderr}`);
      return stdout;
    },
    packetFilter: async (host) => {
      const { stdout } = await run([...(await inNetworkOf(bench.lab, host)), 'nft', '-s', 'list', 'ruleset']);
      return stdout;
    },
    image: (image) =>
      imageRef({ cluster: kit.cluster, artifacts: new ArtifactResolver().sourceFor(kit.cluster) }, image),
  };
  return kit;
}

function runProgram(program: string, argv: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: 64 * 1024 * 1024, timeout: KUBECTL_TIMEOUT_MS };
    const child = execFile(program, [...argv], options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const words = argv.slice(2).join(' ').slice(0, 300);
      reject(new Error(`kubectl ${words}: ${stderr.trim() || error.message}`));
    });
    child.stdin?.end(input);
  });
}

/**
 * Asks until nothing is missing. Throws an Error with the title and what was missing last.
 * `probe` returns what is missing, or null; what it throws counts as missing.
 */
export async function until(
  title: string,
  timeoutMs: number,
  probe: () => Promise<string | null>,
  intervalMs = 1_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const missing = await probe().catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    if (missing === null) return;
    if (Date.now() > end) throw new Error(`${title}: after ${Math.round(timeoutMs / 1000)} s: ${missing}`);
    await sleep(intervalMs);
  }
}
