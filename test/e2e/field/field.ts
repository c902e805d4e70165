import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject } from 'vitest';
import { ApiClient } from '../../../cli/dev/api-client.ts';
import type { ErrorReport } from '../../../contracts/errors.ts';
import type { OperationStatus } from '../../../contracts/operation.ts';
import { execInHost } from '../../../lab/faults.ts';
import type { ClusterSpecInput, Lab } from '../../../lab/types.ts';

/** The answer of a dry run, as far as field tests look at it. */
export interface DryRun {
  state: OperationStatus['state'];
  changeCount: number;
  errors: ErrorReport[];
  hosts: { host: string; changes: { phase: string; resource: string; action: string; detail: string }[] }[];
}

/** What a build and a dry run said of a host that preflight refuses. */
export interface Refusal {
  error: ErrorReport;
  /** From POST to the answer, ms: that of the build. For the benchmark's figures; tests assert no time. */
  ms: number;
}

/** Free memory and disk differ from one moment to the next. */
const withoutAmounts = (text: string): string => text.replace(/[\d.]+(?= (?:[KMGT]iB|%))/g, 'N');

/** The lab and the service of this run. Hosts are shared: a test puts back what it prepares. */
export class Field {
  readonly lab: Lab;
  readonly api: ApiClient;

  constructor() {
    const { lab, url, token } = inject('field');
    this.lab = lab;
    this.api = new ApiClient(url, token);
  }

  /** Run a POSIX sh script (`set -eu`) as root in a host, without SSH. Throws with its output when it fails. */
  async on(host: string, script: string): Promise<string> {
    const { code, stdout, stderr } = await execInHost(this.lab, host, ['sh', '-euc', script]);
    if (code !== 0) throw new Error(`on ${host}: exit code ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Install Debian's packages in a host, as a unit: a command in a host has one minute, apt on a busy machine more. */
  async install(host: string, ...packages: readonly string[]): Promise<void> {
    const apt = `apt-get -q update; DEBIAN_FRONTEND=noninteractive apt-get -q -y install ${packages.join(' ')}`;
    await this.on(host, `systemd-run --quiet --unit theirs-apt --property RemainAfterExit=yes sh -c '${apt}'`);
    try {
      const state = () => this.on(host, 'systemctl show --value --property SubState theirs-apt.service');
      for (let said = await state(); said.trim() === 'running'; said = await state()) await sleep(1000);
      await this.on(host, `dpkg-query --show ${packages.join(' ')}`);
    } finally {
      await this.on(host, 'systemctl stop theirs-apt.service; systemctl reset-failed theirs-apt.service || true');
    }
  }

  /** Prepare a host, work, put it back whatever came of the work. */
  async prepared<T>(host: string, prepare: string, undo: string, work: () => Promise<T>): Promise<T> {
    try {
      await this.on(host, prepare);
      return await work();
    } finally {
      await this.on(host, undo);
    }
  }

  /**
   * The lab's spec under a name of the test's own, with the first `hosts` of its three hosts (cp-1 alone by default: it
   * has every role), and `phases` merged over the lab's options, one phase after the other.
   */
  spec(
    name: string,
    { hosts = 1, phases = {} }: { hosts?: number; phases?: Record<string, Record<string, unknown>> } = {},
  ): ClusterSpecInput {
    const spec = structuredClone(this.lab.spec);
    spec.metadata.name = name;
    spec.spec.hosts = spec.spec.hosts.slice(0, hosts);
    const own = (spec.spec['phases'] ?? {}) as Record<string, Record<string, unknown>>;
    for (const [phase, options] of Object.entries(phases)) own[phase] = { ...own[phase], ...options };
    return spec;
  }

  dryRun(spec: ClusterSpecInput): Promise<DryRun> {
    return this.api.request('POST', '/clusters?dryRun=true', spec);
  }

  /** POST the spec and wait until the build ends or is blocked. */
  async build(spec: ClusterSpecInput): Promise<OperationStatus> {
    const { operation } = await this.api.request<{ operation: string }>('POST', '/clusters', spec);
    return this.api.follow(spec.metadata.name, operation);
  }

  /** A build that must succeed. */
  async built(spec: ClusterSpecInput): Promise<OperationStatus> {
    const status = await this.build(spec);
    expect(status.tasks.flatMap(({ error }) => (error ? [error] : []))).toEqual([]);
    expect(status.state).toBe('succeeded');
    return status;
  }

  /**
   * Preflight of `host` must refuse: the dry run and the build say the same, and no other phase of the host has begun.
   * The cluster is removed afterwards.
   */
  async refused(spec: ClusterSpecInput, host = 'cp-1'): Promise<Refusal> {
    const name = spec.metadata.name;
    const dry = await this.dryRun(spec);
    const said = dry.errors.find((error) => error.host === host && error.phase === 'preflight');
    const startedAt = Date.now();
    const status = await this.build(spec);
    const ms = Date.now() - startedAt;
    try {
      const task = status.tasks.find((each) => each.host === host && each.phase === 'preflight');
      expect(task, JSON.stringify(status.tasks.slice(0, 5))).toMatchObject({ state: 'blocked' });
      const error = task!.error!;
      expect(said?.code).toBe(error.code);
      expect(withoutAmounts(said!.message)).toBe(withoutAmounts(error.message));
      const others = status.tasks.filter((each) => each.host === host && each.phase !== 'preflight');
      expect(others.filter(({ state }) => state !== 'pending')).toEqual([]);
      return { error, ms };
    } finally {
      await this.api.request('POST', `/clusters/${name}/cancel`, { operation: status.operationId });
      await this.api.follow(name, status.operationId, undefined, ['cancelled', 'failed', 'succeeded', 'lost']);
      await this.remove(name);
    }
  }

  /**
   * Run some phases alone, without preflight: makes the cluster by a build that its own preflight refuses (more memory
   * wanted than there is). Remove the cluster afterwards.
   */
  async phases(spec: ClusterSpecInput, phases: readonly string[]): Promise<OperationStatus> {
    const { name } = spec.metadata;
    const refused = structuredClone(spec);
    const options = (refused.spec['phases'] ?? {}) as Record<string, Record<string, unknown>>;
    options['preflight'] = { ...options['preflight'], minMemoryMiB: 9_999_999 };
    const first = await this.build(refused);
    await this.api.request('POST', `/clusters/${name}/cancel`, { operation: first.operationId });
    await this.api.follow(name, first.operationId, undefined, ['cancelled', 'failed', 'lost']);
    const { operation } = await this.api.request<{ operation: string }>('POST', `/clusters/${name}/operations`, {
      kind: 'build',
      phases,
    });
    return this.api.follow(name, operation);
  }

  /** Tear a cluster down; its hosts have no owner afterwards. */
  async remove(name: string): Promise<OperationStatus> {
    const path = `/clusters/${name}?confirm=${name}`;
    const { operation } = await this.api.request<{ operation: string }>('DELETE', path);
    const status = await this.api.follow(name, operation);
    expect(status.tasks.flatMap(({ error }) => (error ? [error] : []))).toEqual([]);
    return status;
  }
}
