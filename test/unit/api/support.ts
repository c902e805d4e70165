import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '@prometheus-io/client';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { apiServersHost } from '../../../activities/kube/network.ts';
import { controlPlaneEndpoint } from '../../../activities/phases/capabilities/control-plane-endpoint.ts';
import { definePhase } from '../../../activities/phases/phase.ts';
import { kubeconfigYaml } from '../../../activities/pki/kubeconfig.ts';
import { buildApp } from '../../../api/app.ts';
import { createBundleBuilder } from '../../../api/bundle-builder.ts';
import type { ApiDeps } from '../../../api/deps.ts';
import { DEFAULT_LIMITS } from '../../../api/limits.ts';
import { storeCheck } from '../../../api/readiness/parts/store.ts';
import { temporalCheck } from '../../../api/readiness/parts/temporal.ts';
import { createReadiness } from '../../../api/readiness/readiness.ts';
import type { OperationHistory, TemporalGateway } from '../../../api/temporal-gateway.ts';
import { openSigner } from '../../../audit/signing-key.ts';
import { payloadCodec } from '../../../codec/payload-codec.ts';
import type { ClusterState, SubmitOperation } from '../../../contracts/actions.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { openStore, type Store } from '../../../store/index.ts';
import { parseKeyring } from '../../../store/keyring.ts';
import { answersFile } from '../../support/answers.ts';
import { kinds } from '../../support/plans.ts';

export type Json = Record<string, unknown>;

const timeouts = { applyMs: 1000, verifyMs: 1000 };
export const phases = [
  definePhase({
    name: 'prepare',
    title: 'Prepare',
    hosts: 'all',
    dependsOnAddressesOf: ['control-plane', 'etcd', 'registry', 'time-server'],
    needs: [],
    timeouts,
    expectedMs: 100,
    options: z.strictObject({}),
  }),
  definePhase({
    name: 'flannel',
    title: 'Pod network',
    hosts: 'nodes',
    needs: [{ phase: 'prepare', on: 'same-host' }],
    disrupts: 'node',
    timeouts,
    expectedMs: 200,
    options: z.strictObject({ backend: z.enum(['vxlan', 'host-gw']).default('vxlan') }),
  }),
  definePhase({
    name: 'master',
    title: 'Control plane',
    hosts: 'control-plane',
    needs: [{ phase: 'prepare', on: 'same-host' }],
    timeouts,
    expectedMs: 100,
    options: z.strictObject({}),
  }),
  definePhase({
    name: 'host-names',
    title: 'Names of API servers',
    hosts: 'all',
    isIdle: () => true,
    needs: [{ phase: 'prepare', on: 'same-host' }],
    offers: [
      controlPlaneEndpoint.offer(({ cluster }) => ({
        host: apiServersHost(cluster),
        port: 6443,
        forClients: false,
        certificateNames: [],
        drainSeconds: 0,
      })),
    ],
    timeouts,
    expectedMs: 100,
    options: z.strictObject({}),
  }),
];

export const host = (more: Json = {}): Json => ({
  name: 'cp-1',
  address: '10.0.0.1',
  roles: ['control-plane', 'etcd', 'worker'],
  ...more,
});
/** A machine of its own for every name: no two clusters may have the same one. */
const addressOf = (name: unknown): string => {
  const digest = createHash('sha256').update(String(name)).digest();
  return name === 'demo' ? '10.0.0.1' : `10.${100 + (digest[0]! % 100)}.${digest[1]!}.${1 + (digest[2]! % 250)}`;
};
export const spec = (more: Json = {}, hosts?: unknown, metadata: Json = { name: 'demo' }): Json => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata,
  spec: {
    hosts: hosts ?? [host({ address: addressOf(metadata['name']) })],
    ssh: { credential: { keyFile: '/root/key' } },
    ...more,
  },
});

/** A Temporal that remembers what it was asked. */
export class FakeTemporal implements TemporalGateway {
  readonly submitted: (SubmitOperation & { cluster: string })[] = [];
  readonly commands: Json[] = [];
  answers: OperationHistory = { events: [] };
  down = false;
  onSubmit: (cluster: string, id: string, request: SubmitOperation) => Promise<void> = () => Promise.resolve();

  /** What a new entity would have begun with, in turn. */
  readonly states: (ClusterState | undefined)[] = [];

  async submit(cluster: string, request: SubmitOperation, state?: ClusterState) {
    this.#check();
    this.states.push(state);
    const known = this.submitted.findIndex((each) => each.cluster === cluster && each.requestId === request.requestId);
    if (known >= 0) return { operationId: `op-${known + 1}`, created: false };
    this.submitted.push({ cluster, ...request });
    const operationId = `op-${this.submitted.length}`;
    await this.onSubmit(cluster, operationId, request);
    return { operationId, created: true };
  }

  /** What the next commands are refused with, in turn. */
  readonly refusals: KubewrightError[] = [];

  async #command(type: string, cluster: string, operationId: string, input: object) {
    this.#check();
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    this.commands.push({ type, cluster, operation: operationId, ...input });
    return { operationId };
  }

  decide = (cluster: string, operation: string, input: object) => this.#command('decide', cluster, operation, input);
  amend = (cluster: string, operation: string, input: object) => this.#command('amend', cluster, operation, input);
  pause = (cluster: string, operation: string, input: object) => this.#command('pause', cluster, operation, input);
  resume = (cluster: string, operation: string, input: object) => this.#command('resume', cluster, operation, input);
  cancel = (cluster: string, input: object) => this.#command('cancel', cluster, 'op-1', input);
  history = async () => {
    this.#check();
    return this.answers;
  };
  /** What runs or waits; null: no worker says. */
  live: Set<string> | null = new Set();
  liveOperations = async () => {
    this.#check();
    return this.live;
  };
  running: { cluster: string; operationId: string }[] = [];
  runningOperations = async () => this.running;
  cancelWorkflow = async (cluster: string, operation: string) => {
    await this.#command('cancelWorkflow', cluster, operation, {});
  };
  histories = async function* (): AsyncGenerator<never> {
    // Temporal has forgotten.
  };
  ping = async () => this.#check();

  #check(): void {
    if (this.down) throw new KubewrightError('TEMPORAL_UNAVAILABLE', 'Temporal does not answer');
  }
}

export interface TestApi {
  deps: ApiDeps;
  app: FastifyInstance;
  store: Store;
  temporal: FakeTemporal;
  token: Record<'viewer' | 'operator' | 'admin', string>;
  /** As admin unless told otherwise. */
  call(method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, more?: CallOptions): Promise<Answer>;
  close(): Promise<void>;
}
export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  as?: 'viewer' | 'operator' | 'admin' | null;
}
export interface Answer {
  status: number;
  body: Json;
  text: string;
  headers: Record<string, unknown>;
}

/** What a cluster named demo answers as its kubeconfig. */
export const KUBECONFIG = kubeconfigYaml({
  ...{ cluster: 'demo', user: 'admin', server: 'https://192.0.2.1:6443', ca: 'ca', cert: 'cert', key: 'key' },
});

/** `dataDir`: one with a database, which is removed at the end. `checked`: false: answers as in production. */
export async function testApi(
  more: Partial<ApiDeps> = {},
  { dataDir = mkdtempSync(join(tmpdir(), 'kubewright-api-')), checked = true } = {},
): Promise<TestApi> {
  const store = await openStore({ dataDir, keyring: parseKeyring(Buffer.alloc(32, 7).toString('base64')) });
  const temporal = new FakeTemporal();
  const signer = openSigner(dataDir);
  const deps: ApiDeps = {
    kinds,
    store,
    temporal,
    metrics: new Registry(),
    readiness: createReadiness(
      [
        storeCheck(store),
        temporalCheck(temporal),
        { name: 'worker', meaning: 'a worker runs', run: () => Promise.resolve({ state: 'ok' }) },
        { name: 'disk', meaning: 'there is space', run: () => Promise.resolve({ state: 'ok' }) },
      ],
      { freshMs: 0 },
    ),
    bundleBuilder: createBundleBuilder({ store, temporal, signer, spool: join(dataDir, 'spool') }),
    phases,
    kubeconfig: (cluster) => Promise.resolve(cluster === 'demo' ? KUBECONFIG : null),
    personalKubeconfig: (cluster, _spec, { person, group, lifeMs }) =>
      Promise.resolve(
        cluster === 'demo'
          ? { text: `# ${person} ${group} ${lifeMs}\n${KUBECONFIG}`, serial: '0a', expiresAt: 'then' }
          : null,
      ),
    codec: payloadCodec(store.payloadKeys),
    temporalUiOrigin: 'http://127.0.0.1:8233',
    smokeImage: () => 'registry.example/busybox:1',
    dryRunWaitMs: 2_000,
    // Operators may send the spec of these tests.
    loginPaths: ['/root'],
    // Tests ask as fast as they can.
    limits: { ...DEFAULT_LIMITS, requestsPerMinute: 1_000_000, recordsPerMinute: 1_000_000, dryRuns: 1_000 },
    ...more,
  };
  const app = await buildApp(deps, checked ? { checkAnswers: answersFile() } : {});
  const make = async (role: 'viewer' | 'operator' | 'admin') => (await store.tokens.create(role, role)).token;
  const token = { viewer: await make('viewer'), operator: await make('operator'), admin: await make('admin') };
  return {
    deps,
    app,
    store,
    temporal,
    token,
    async call(method, url, { body, headers = {}, as = 'admin' } = {}) {
      const response = await app.inject({
        method,
        url,
        headers: {
          ...(as === null ? {} : { authorization: `Bearer ${token[as]}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const type = String(response.headers['content-type'] ?? '');
      return {
        status: response.statusCode,
        text: response.body,
        headers: response.headers,
        body:
          type.includes('json') && !type.includes('ndjson') && response.body !== '' ? (response.json() as Json) : {},
      };
    },
    async close() {
      await app.close();
      await store.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
