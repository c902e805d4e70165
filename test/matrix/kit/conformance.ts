import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REGISTRY_ENDPOINT } from '../../../activities/kube/paths.ts';
import { podNetwork } from '../../../activities/phases/capabilities/pod-network.ts';
import { offerOf } from '../../../activities/phases/offers.ts';
import {
  AGNHOST,
  DNS_TESTING,
  KUBERNETES_TESTS,
  NGINX,
  SUITE_PAUSE,
} from '../../../activities/phases/verify/artifacts.ts';
import { ensureMirror } from '../../../lab/mirror/mirror.ts';
import { run } from '../../../lab/run.ts';
import type { SpecDraft } from './case.ts';
import { junitOutcome, type SuiteOutcome } from './junit.ts';
import type { MatrixKit } from './kit.ts';

/** The phase whose on-demand files are the suite and its images. */
export const CONFORMANCE_FILES = 'verify';

/** A part of the official suite, chosen as ginkgo does. */
export interface Suite {
  title: string;
  focus: string;
  skip: string;
  /** What is left out of the focus, and why: for docs/matrix.md. */
  leftOut: readonly string[];
  /** True where the cluster promises what the suite asks for. */
  applies(kit: MatrixKit): boolean;
}

/** On two cores more of them wait for each other. */
const PROCS = 4;
/** Bound on a hang, ms. */
const SUITE_MS = 60 * 60_000;

export const SUITES: readonly Suite[] = [
  {
    title: 'network conformance',
    focus: String.raw`\[sig-network\].*\[Conformance\]`,
    skip: String.raw`\[Serial\]|\[Disruptive\]`,
    leftOut: ['[Serial] and [Disruptive]: they change nodes that other specs use at the same time'],
    applies: () => true,
  },
  {
    title: 'NetworkPolicy',
    focus: String.raw`\[sig-network\] Netpol .*\[Feature:NetworkPolicy\]`,
    skip: String.raw`\[Feature:SCTPConnectivity\]`,
    leftOut: ['[Feature:SCTPConnectivity]: the kernel of the lab has no SCTP'],
    applies: (kit) => offerOf(kit, podNetwork).enforcesPolicies,
  },
];

/** What the suite needs of a spec: its images in the registry, and its privileged pods. */
export function forConformance(draft: SpecDraft): void {
  const images = [AGNHOST, DNS_TESTING, NGINX, SUITE_PAUSE].map(({ name }) => name);
  draft.phases['registry'] = { ...draft.phases['registry'], preload: images };
}

/**
 * Runs a part of the suite from this machine against the cluster. Throws an Error with each spec that failed; `kept` is the
 * folder of its log and reports.
 */
export async function runSuite(kit: MatrixKit, suite: Suite): Promise<SuiteOutcome> {
  const folder = join(kit.bench.folder, suite.title.replaceAll(' ', '-'));
  mkdirSync(folder, { recursive: true });
  await unpackPrograms(folder);
  const registries = join(folder, 'registries.yaml');
  writeFileSync(registries, `promoterE2eRegistry: ${REGISTRY_ENDPOINT}\ngcRegistry: ${REGISTRY_ENDPOINT}\n`);
  const nodes = (await kit.get<{ items: unknown[] }>('nodes')).items.length;
  await ginkgo(folder, suite, {
    kubeconfig: join(kit.bench.folder, 'kubeconfig'),
    nodes,
    env: { KUBE_TEST_REPO_LIST: registries },
  });
  return junitOutcome(readFileSync(join(folder, 'junit_01.xml'), 'utf8'));
}

async function unpackPrograms(folder: string): Promise<void> {
  const { root } = await ensureMirror({ with: [CONFORMANCE_FILES], onProgress: () => undefined });
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const { mirrorPath, members } = KUBERNETES_TESTS.file(KUBERNETES_TESTS.version, arch);
  const strip = `--strip-components=${members[0]!.path.split('/').length - 1}`;
  await run(['tar', '-C', folder, strip, '-xzf', join(root, mirrorPath), ...members.map(({ path }) => path)], {
    timeoutMs: 300_000,
  });
}

/** Runs ginkgo in a process group of its own: its end does not end the programs that it started. */
function ginkgo(
  folder: string,
  { focus, skip }: Suite,
  { kubeconfig, nodes, env }: { kubeconfig: string; nodes: number; env: Record<string, string> },
): Promise<void> {
  const log = createWriteStream(join(folder, 'e2e.log'));
  const argv = [
    ...[`--procs=${PROCS}`, `--focus=${focus}`, `--skip=${skip}`, '--silence-skips', '--no-color', 'e2e.test', '--'],
    ...[`--kubeconfig=${kubeconfig}`, '--provider=skeleton', `--num-nodes=${nodes}`, `--report-dir=${folder}`],
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(join(folder, 'ginkgo'), argv, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    for (const stream of [child.stdout, child.stderr]) stream.pipe(log, { end: false });
    const endGroup = () => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // The group has ended.
      }
    };
    const timer = setTimeout(endGroup, SUITE_MS);
    child.on('error', reject);
    // 197 and other codes say that specs failed: the report has them.
    child.on('close', () => {
      clearTimeout(timer);
      endGroup();
      log.end(resolve);
    });
  });
}
