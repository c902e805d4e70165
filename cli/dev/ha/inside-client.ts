import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { REGISTRY_ENDPOINT } from '../../../activities/kube/paths.ts';
import { BUSYBOX } from '../../../activities/phases/verify/public.ts';
import { execInHost, type LabRef } from '../../../lab/faults.ts';
import type { KubeClient } from './kube-client.ts';
import { longestGap } from './writer.ts';

/** Time between two requests of the pod, seconds: with what a request takes, 7 or 8 a second. */
const REQUEST_EVERY_S = 0.12;
const READY_MS = 120_000;
const PORT = 8080;

export interface InsideReport {
  requests: number;
  failed: number;
  /** Longest time between two answered requests, ms. */
  gapMs: number;
}

interface Options {
  client: KubeClient;
  lab: LabRef;
  namespace: string;
  /** Two hosts that run pods of the service; the client runs on the first of them. None of them is lost in any case. */
  hosts: readonly [string, string];
}

const service = z.object({ spec: z.object({ clusterIP: z.string() }) });

/** A pod that calls a service with pods on two nodes, all the while; its log says what came of each request. */
export class InsideClient {
  readonly #options: Options;

  private constructor(options: Options) {
    this.#options = options;
  }

  /** Makes namespace, service and pods, and waits for the first answered request. Throws after two minutes without. */
  static async start(options: Options): Promise<InsideClient> {
    const { client, namespace, hosts } = options;
    const core = `/api/v1/namespaces/${namespace}`;
    await create(client, '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    const selector = { app: 'web' };
    const made = await create(client, `${core}/services`, {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } },
      spec: { selector, ports: [{ port: 80, targetPort: PORT }] },
    });
    const { clusterIP } = service.parse(JSON.parse(made)).spec;
    const web = `echo here >/tmp/index.html && exec httpd -f -p ${PORT} -h /tmp`;
    for (const [index, host] of hosts.entries())
      await create(client, `${core}/pods`, pod(`web-${index + 1}`, host, web, selector));
    const request = `timeout 1 wget -q -O /dev/null http://${clusterIP}/ && echo ok || echo failed`;
    const loop = `while :; do ${request}; sleep ${REQUEST_EVERY_S}; done 2>/dev/null`;
    await create(client, `${core}/pods`, pod('client', hosts[0], loop, { app: 'client' }));
    const inside = new InsideClient(options);
    const deadline = Date.now() + READY_MS;
    // Both pods have to answer: a second without a failure follows.
    while (!(await inside.#answered())) {
      if (Date.now() > deadline) throw new Error(`no pod of the service of ${namespace} has answered`);
      await sleep(250);
    }
    return inside;
  }

  /** What it saw between two moments, ms since the epoch. */
  async report(from: number, to: number): Promise<InsideReport> {
    const rows = (await this.#log()).filter(({ at }) => at >= from && at <= to);
    const answered = rows.filter(({ ok }) => ok).map(({ at }) => at);
    const { gapMs } = longestGap([from, ...answered, to]);
    return { requests: rows.length, failed: rows.length - answered.length, gapMs };
  }

  async #answered(): Promise<boolean> {
    const { client, namespace } = this.#options;
    const { status, body } = await client.send('new', 'GET', `/api/v1/namespaces/${namespace}/pods`, undefined, 5_000);
    if (status !== 200 || (body.match(/"ready":true/g) ?? []).length < 3) return false;
    return (await this.#log()).slice(-8).filter(({ ok }) => ok).length === 8;
  }

  /** From the file of the node, not through the API: lines as `2026-11-30T12:00:00.123456789Z stdout F ok`. */
  async #log(): Promise<{ at: number; ok: boolean }[]> {
    const { lab, namespace, hosts } = this.#options;
    const { stdout } = await execInHost(lab, hosts[0], ['sh', '-c', `cat /var/log/pods/${namespace}_client_*/*/*.log`]);
    return stdout.split('\n').flatMap((line) => {
      const [time = '', , , result] = line.split(' ');
      return result === undefined ? [] : [{ at: Date.parse(time), ok: result === 'ok' }];
    });
  }
}

function pod(name: string, host: string, script: string, labels: Record<string, string>): object {
  const container = {
    ...{ name: 'main', image: `${REGISTRY_ENDPOINT}/${BUSYBOX.name}:${BUSYBOX.version}` },
    ...{ imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script] },
  };
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels } },
    spec: {
      ...{ nodeName: host, automountServiceAccountToken: false, terminationGracePeriodSeconds: 0 },
      tolerations: [{ operator: 'Exists' }],
      containers: [container],
    },
  };
}

/** Makes an object and returns it as answered; one that exists is a mistake of the caller. */
async function create(client: KubeClient, path: string, object: object): Promise<string> {
  const { status, body } = await client.send('new', 'POST', path, object, 10_000);
  if (status !== 201) throw new Error(`POST ${path}: HTTP ${status} ${body.slice(0, 500)}`);
  return body;
}
