import { connect } from 'node:tls';
import { z } from 'zod';
import type { OperationStatus } from '../../../contracts/operation.ts';
import { execInHost } from '../../../lab/faults.ts';
import type { Lab } from '../../../lab/lab.ts';
import type { ClusterSpecInput } from '../../../lab/types.ts';
import type { ApiClient } from '../api-client.ts';
import { accessOf, type KubeAccess } from './kube-client.ts';

const API_PORT = 6443;
const HEALTHY_MS = 180_000;
const ENDED: OperationStatus['state'][] = ['succeeded', 'failed', 'cancelled', 'lost', 'blocked'];

const member = z.object({
  Endpoint: z.string(),
  Status: z.object({ header: z.object({ member_id: z.number() }), leader: z.number() }),
});

type Phases = Record<string, Record<string, unknown>>;

/** A cluster on a lab, changed through a running service, and looked at from inside of its hosts. */
export class HaCluster {
  readonly lab: Lab;
  readonly api: ApiClient;
  spec: ClusterSpecInput;
  /** Machine of the lab by host of the cluster, where another has taken its place. */
  readonly #machines = new Map<string, string>();

  constructor(lab: Lab, api: ApiClient, spec: ClusterSpecInput) {
    this.lab = lab;
    this.api = api;
    this.spec = spec;
  }

  /** Builds the spec, with these options of phases over its own; they stay. Throws unless the build succeeds. */
  async build(phases: Phases = {}): Promise<OperationStatus> {
    const { spec, ...rest } = this.spec;
    const before = (spec['phases'] ?? {}) as Phases;
    const merged = Object.entries(phases).map(([name, options]) => [name, { ...before[name], ...options }]);
    this.spec = { ...rest, spec: { ...spec, phases: { ...before, ...Object.fromEntries(merged) } } };
    return this.succeeded(await this.#post('/clusters'));
  }

  async #post(path: string): Promise<string> {
    return (await this.api.request<{ operation: string }>('POST', path, this.spec)).operation;
  }

  /** Waits for the end of an operation. Throws with its failed tasks unless it has succeeded. */
  async succeeded(operation: string): Promise<OperationStatus> {
    const status = await this.api.follow(this.lab.name, operation, undefined, ENDED);
    if (status.state === 'succeeded') return status;
    const failed = status.tasks.flatMap(({ phase, host, error }) => (error ? [{ phase, host, error }] : []));
    throw new Error(`the ${status.kind} is ${status.state}: ${JSON.stringify(failed)}`);
  }

  /** Waits until a dry run of the service finds the cluster healthy. Throws with the reasons after three minutes. */
  async healthy(): Promise<void> {
    for (const deadline = Date.now() + HEALTHY_MS; ; ) {
      const operation = await this.#post('/clusters?dryRun=true');
      const { state, health } = await this.api.follow(this.lab.name, operation, undefined, ENDED);
      if (state === 'succeeded' && health?.state === 'healthy') return;
      if (Date.now() > deadline)
        throw new Error(`the cluster is not healthy: check ${state}, ${JSON.stringify(health)}`);
    }
  }

  /** What the service hands out to people: the admin's kubeconfig. */
  async access(): Promise<KubeAccess> {
    return accessOf(await this.api.request<string>('GET', `/clusters/${this.lab.name}/kubeconfig`));
  }

  /** Hosts of a role, in the order of the spec. */
  hosts(role: string): string[] {
    return this.spec.spec.hosts.flatMap(({ name, roles }) =>
      (roles as string[]).includes(role) ? [name as string] : [],
    );
  }

  /** The machine of the lab that a host is on. */
  machineOf(host: string): string {
    return this.#machines.get(host) ?? host;
  }

  addressOf(host: string): string {
    return this.lab.hosts.find(({ name }) => name === this.machineOf(host))!.address;
  }

  /** Replaces the machine of a host that is in quarantine, and waits for the end of it. */
  async replace(host: string, machine: string): Promise<void> {
    const { address, hostKey } = this.lab.hosts.find(({ name }) => name === machine)!;
    const path = `/clusters/${this.lab.name}/hosts/${host}/replace`;
    const { operation } = await this.api.request<{ operation: string }>('POST', path, { address, hostKey });
    await this.succeeded(operation);
    this.#machines.set(host, machine);
    const hosts = this.spec.spec.hosts.map((each) =>
      each['name'] === host ? { ...each, address, ssh: { ...(each['ssh'] as object), hostKey } } : each,
    );
    this.spec = { ...this.spec, spec: { ...this.spec.spec, hosts } };
  }

  /** Builds without a host that does not answer: it is blocked, skipped, and then in quarantine. */
  async quarantine(host: string): Promise<void> {
    const at = `/clusters/${this.lab.name}`;
    const operation = await this.#post('/clusters');
    const { state, blockedHosts } = await this.api.follow(this.lab.name, operation, undefined, ENDED);
    if (state !== 'blocked' || blockedHosts.join() !== host)
      throw new Error(`the build is ${state} with ${blockedHosts.join()}, and was to be blocked by ${host}`);
    await this.api.request('POST', `${at}/hosts/${host}/skip`, {});
    const waits = async () => (await this.api.operation(this.lab.name, operation)).blockedHosts.includes(host);
    while (await waits()) await new Promise((resolve) => setTimeout(resolve, 100));
    await this.succeeded(operation);
  }

  /** Output of a command on a host, past SSH. Throws when it fails. */
  async on(host: string, ...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await execInHost(this.lab, this.machineOf(host), argv);
    if (code !== 0) throw new Error(`${argv.join(' ')} on ${host}: ${stderr}`);
    return stdout.trim();
  }

  /** The host whose etcd member leads. Throws when no member says so. */
  async etcdLeader(): Promise<string> {
    const hosts = this.hosts('etcd');
    const pki = '/etc/etcd/pki';
    const tls = ['--cacert', `${pki}/ca.crt`, '--cert', `${pki}/health.crt`, '--key', `${pki}/health.key`];
    const endpoints = hosts.map((host) => `https://${this.addressOf(host)}:2379`).join(',');
    const ask = ['/usr/local/bin/etcdctl', '--endpoints', endpoints, ...tls, 'endpoint', 'status', '-w', 'json'];
    const members = z.array(member).parse(JSON.parse(await this.on(hosts[0]!, ...ask)));
    const leading = members.find(({ Status }) => Status.header.member_id === Status.leader);
    const leader = hosts.find((host) => leading?.Endpoint.includes(`//${this.addressOf(host)}:`));
    if (leader === undefined) throw new Error(`no etcd member of ${hosts.join(', ')} leads`);
    return leader;
  }

  /** The control plane whose API server has the certificate with this fingerprint. Throws when it is none of them. */
  async apiServerWith(fingerprint: string): Promise<string> {
    for (const host of this.hosts('control-plane'))
      if ((await serverFingerprint(this.addressOf(host))) === fingerprint) return host;
    throw new Error(`no API server has the certificate ${fingerprint}`);
  }

  /** Waits until the API server of a host says that it is ready. */
  async apiServerReady(host: string): Promise<void> {
    const admin = ['/usr/local/bin/kubectl', '--kubeconfig', '/etc/kubewright/admin.kubeconfig'];
    const own = [`--server=https://${this.addressOf(host)}:${API_PORT}`, '--request-timeout=2s'];
    for (const deadline = Date.now() + HEALTHY_MS; ; ) {
      const answer = await this.on(host, ...admin, ...own, 'get', '--raw', '/readyz').catch(String);
      if (answer === 'ok') return;
      if (Date.now() > deadline) throw new Error(`the API server of ${host} is not ready: ${answer}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

/** SHA-256 fingerprint of the certificate of the server at an address; null when there is none. */
function serverFingerprint(address: string): Promise<string | null> {
  return new Promise((resolve) => {
    // Which certificate it is, is the question; nothing is sent to it.
    const socket = connect({ host: address, port: API_PORT, rejectUnauthorized: false, timeout: 2_000 });
    const finish = (found: string | null) => {
      socket.destroy();
      resolve(found);
    };
    socket.once('secureConnect', () => finish(socket.getPeerCertificate().fingerprint256));
    socket.once('timeout', () => finish(null));
    socket.once('error', () => finish(null));
  });
}
