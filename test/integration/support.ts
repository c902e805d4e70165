import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createActivityDeps } from '../../activities/deps.ts';
import type { Phase } from '../../activities/phases/phase.ts';
import { sortPhases } from '../../activities/phases/phase-loader.ts';
import { runTask, type TaskDeps } from '../../activities/tasks/run-task.ts';
import { type ClusterSpec, clusterSpec } from '../../contracts/cluster.ts';
import { type ErrorCode, KubewrightError } from '../../contracts/errors.ts';
import type { TaskInput, TaskResult } from '../../contracts/operation.ts';
import { execInHost } from '../../lab/faults.ts';
import type { Lab } from '../../lab/types.ts';
import { openStore, type Store } from '../../store/index.ts';
import { openKeyring } from '../../store/keyring.ts';
import { newOperationId } from '../../workflows/lib/operation-id.ts';

/** The lab's spec, open for a test to change before it is parsed. */
export interface SpecDraft {
  hosts: { name: string; address: string; roles: string[]; ssh: Record<string, unknown> }[];
  ssh: Record<string, unknown>;
  phases: Record<string, Record<string, unknown>>;
  artifacts?: { mirror: string };
}

export interface TaskCall {
  phase: string;
  host: string;
  /** What differs from the lab's own spec. */
  change?: ((spec: SpecDraft) => void) | undefined;
  mode?: 'apply' | 'check';
  /** Default: build. */
  kind?: 'build' | 'teardown';
  /** As a task of a window of the plan: that only looks, or that changes its host. */
  probe?: true;
  window?: TaskInput['window'];
  /** Hosts that the operation is about. */
  focus?: string[];
  signal?: AbortSignal;
  onStep?: (step: string) => void;
}

/** Later than those of the files before: they share the hosts, which remember the newest. */
const OPERATION = newOperationId(Date.now(), Math.random);

/** What a worker has around its tasks, without Temporal: the real activities, SSH pool and a store of its own. */
export class Workbench {
  readonly #lab: Lab;
  readonly #more: readonly Phase[];
  readonly #dataDir = mkdtempSync(join(tmpdir(), 'kubewright-tasks-'));
  /** Each run is a later one of its task, as after a decision; over all benches of a file, for they share the hosts. */
  static #rounds = 0;
  #store: Store | undefined;
  #deps: (TaskDeps & { close(): Promise<void> }) | undefined;

  /** `more`: phases beside our own. */
  constructor(lab: Lab, more: readonly Phase[] = []) {
    this.#lab = lab;
    this.#more = more;
  }

  async open(): Promise<void> {
    this.#store = await openStore({ dataDir: this.#dataDir, keyring: openKeyring(this.#dataDir) });
    this.#deps = await this.#makeDeps(this.#store);
    // Each bench is an installation of its own, and the hosts still carry the mark of the one before.
    await Promise.all(this.#lab.hosts.map(({ name }) => onHost(this.#lab, name, 'rm -f /etc/kubewright/cluster')));
  }

  /** A folder that goes with the workbench. */
  get folder(): string {
    return this.#dataDir;
  }

  get store(): Store {
    if (!this.#store) throw new Error('the workbench is not open');
    return this.#store;
  }

  get deps(): TaskDeps {
    if (!this.#deps) throw new Error('the workbench is not open');
    return this.#deps;
  }

  /** Another worker on the same store: no connection, fact or manifest is remembered. */
  async restart(): Promise<void> {
    await this.#deps?.close();
    this.#deps = await this.#makeDeps(this.store);
  }

  async #makeDeps(store: Store): Promise<TaskDeps & { close(): Promise<void> }> {
    const deps = await createActivityDeps(store, undefined, undefined, [this.#lab.sshKey, this.#dataDir]);
    const phases = sortPhases([...deps.phases.values(), ...this.#more]);
    return { ...deps, phases: new Map(phases.map((phase) => [phase.name, phase])) };
  }

  async close(): Promise<void> {
    await this.#deps?.close();
    await this.#store?.close();
    rmSync(this.#dataDir, { recursive: true, force: true });
  }

  spec(change: (spec: SpecDraft) => void = () => {}): ClusterSpec {
    const draft = structuredClone(this.#lab.spec);
    change(draft.spec as unknown as SpecDraft);
    return clusterSpec.parse(draft);
  }

  async run({
    phase,
    host,
    change,
    mode = 'apply',
    kind = 'build',
    probe,
    window,
    focus,
    ...more
  }: TaskCall): Promise<TaskResult> {
    const specRef = await this.store.specs.put(this.spec(change));
    Workbench.#rounds += 1;
    return runTask(
      this.deps,
      {
        cluster: this.#lab.name,
        operationId: OPERATION,
        phase,
        host,
        mode,
        specRef,
        decision: 0,
        round: Workbench.#rounds,
        kind,
        ...(probe ? { probe } : {}),
        ...(window ? { window } : {}),
        ...(focus ? { focus } : {}),
        actor: 'test',
        requestId: 'test',
      },
      {
        namespace: 'test',
        workflowId: 'test',
        runId: 'test',
        activityId: `${phase}/${host}`,
        attempt: 1,
        signal: more.signal ?? new AbortController().signal,
        step: more.onStep ?? (() => {}),
      },
    );
  }

  /** Runs a task that must stop with just this: code and kind of retry, cause in the message, evidence, and a hint. */
  async stops(call: TaskCall, expected: Stop): Promise<KubewrightError> {
    const error = await this.run(call).then(
      (result) => Promise.reject(new Error(`${call.phase} went through: ${JSON.stringify(result)}`)),
      (reason: unknown) => reason,
    );
    if (!KubewrightError.is(error)) throw error;
    expect(error).toMatchObject({ code: expected.code, host: call.host, phase: call.phase });
    expect(error.entry.retryable).toBe(expected.retryable);
    expect(error.message).toMatch(expected.cause);
    for (const evidence of [expected.evidence ?? []].flat()) expect(error.evidence).toMatch(evidence);
    expect(error.entry.hint).not.toBe('');
    return error;
  }
}

export interface Stop {
  code: ErrorCode;
  retryable: boolean;
  cause: RegExp;
  /** Default: none, where the message says it all. */
  evidence?: RegExp | RegExp[];
}

/** Runs a script on a lab host as root, past SSH. */
export async function onHost(lab: Lab, host: string, script: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await execInHost(lab, host, ['sh', '-euc', script, 'sh', ...args]);
  if (code !== 0) throw new Error(`on ${host}: ${script}\nexit code ${code}: ${stdout}${stderr}`);
  return stdout;
}

/** Names of the packages of a host, in any state. */
export const packageNames = async (lab: Lab, host: string): Promise<string[]> =>
  (await onHost(lab, host, "dpkg-query -W -f '${Package}\\n'")).split('\n').filter((name) => name !== '');

/** Everything that preflight, prepare, chrony and runtime put on a host, gone; packages back to the given ones. */
export async function makeBare(lab: Lab, host: string, packages: readonly string[]): Promise<void> {
  const added = (await packageNames(lab, host)).filter((name) => !packages.includes(name));
  await onHost(
    lab,
    host,
    `systemctl disable --quiet --now containerd.service 2>/dev/null || :
    if [ $# -gt 0 ]; then dpkg --purge --force-depends "$@" >/dev/null 2>&1; fi
    rm -rf /etc/systemd/system/containerd.service /etc/systemd/system/chrony.service.d/kubewright.conf \\
      /etc/kubewright /etc/containerd /etc/cni /etc/chrony/kubewright.* /opt/cni /var/lib/kubewright \\
      /etc/modules-load.d/kubewright.conf /etc/sysctl.d/zz-kubewright.conf /usr/local/bin/*
    rmdir /etc/chrony 2>/dev/null || :
    sed -i '/^# kubewright begin/,/^# kubewright end/d' /etc/hosts
    systemctl daemon-reload`,
    ...added,
  );
}

/** A process of a host, in a unit of its own so that it can be ended by name; waits until `ready` (sh) is true. */
export async function startOnHost(
  lab: Lab,
  host: string,
  process: { unit: string; argv: string[]; ready: string },
): Promise<() => Promise<void>> {
  await onHost(
    lab,
    host,
    `unit=$1 ready=$2; shift 2
    systemctl stop "$unit" 2>/dev/null || :
    systemd-run --quiet --collect --unit="$unit" -- "$@"
    tries=0; until sh -c "$ready"; do tries=$((tries + 1)); [ $tries -lt 100 ]; sleep 0.05; done`,
    process.unit,
    process.ready,
    ...process.argv,
  );
  return async () => {
    await onHost(lab, host, 'systemctl stop "$1" 2>/dev/null || :', process.unit);
  };
}
