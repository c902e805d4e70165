import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { AppsV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { KUBE_WEB_VIEW } from '../../activities/phases/dashboard/artifacts.ts';
import { ApiClient } from '../../cli/dev/api-client.ts';
import { checkoutRoot } from '../../cli/dev/paths.ts';
import type { OperationStatus } from '../../contracts/operation.ts';
import { requireChecked } from '../support/answers.ts';
import { addonChecks } from './addons/checks.ts';
import { CIS_CHECKS, cisScript } from './cis-checks.ts';
import { ssh } from './support.ts';

/** What a newcomer gets from one command, judged from outside: kubectl, OpenSSH and the official client. */
const demoAnswer = z.strictObject({
  cluster: z.string(),
  api: z.string(),
  tokenFile: z.string().startsWith('/'),
  kubeconfig: z.string().startsWith('/'),
  durationMs: z.number().positive(),
  operation: z.string(),
  hosts: z
    .array(
      z.strictObject({ name: z.string(), address: z.string(), port: z.number(), user: z.string(), sshKey: z.string() }),
    )
    .length(3),
  smokeImage: z.string(),
});

const run = promisify(execFile);
const env = { ...process.env, KUBEWRIGHT_DEMO_NAME: 'kwe' };
const demo = (...args: string[]) =>
  run('npm', ['run', '--silent', 'demo', '--', ...args], { cwd: checkoutRoot, env, maxBuffer: 64 * 1024 * 1024 });

describe('npm run demo', () => {
  let answer: z.infer<typeof demoAnswer>;
  let api: ApiClient;
  let kubectl: (...args: string[]) => Promise<string>;
  let controlPlane: z.infer<typeof demoAnswer>['hosts'][number];

  beforeAll(async () => {
    await demo('--down');
    const { stdout } = await demo('--exit', '--json');
    answer = demoAnswer.parse(JSON.parse(stdout.trim().split('\n').at(-1)!));
    await requireChecked(answer.api);
    api = new ApiClient(answer.api, readFileSync(answer.tokenFile, 'utf8').trim());
    controlPlane = answer.hosts[0]!;
    kubectl = async (...args) =>
      ssh(controlPlane, `kubectl --kubeconfig /etc/kubewright/admin.kubeconfig ${args.join(' ')}`);
  });

  afterAll(async () => {
    await demo('--down');
  });

  it('keeps token and kubeconfig to their owner', () => {
    expect(statSync(answer.tokenFile).mode & 0o777).toBe(0o600);
    expect(statSync(answer.kubeconfig).mode & 0o777).toBe(0o600);
  });

  it('has three Ready nodes at the requested version, seen with the kubeconfig from outside', async () => {
    const config = new KubeConfig();
    config.loadFromFile(answer.kubeconfig);
    const { items } = await config.makeApiClient(CoreV1Api).listNode();
    expect(new Set(items.map((node) => node.metadata?.name))).toEqual(new Set(answer.hosts.map((host) => host.name)));
    for (const node of items) {
      expect(node.status?.nodeInfo?.kubeletVersion).toBe('v1.36.3');
      expect(node.status?.conditions?.find((each) => each.type === 'Ready')?.status).toBe('True');
    }
  });

  it('runs CoreDNS, metrics-server and the dashboard, all from the private registry', async () => {
    const config = new KubeConfig();
    config.loadFromFile(answer.kubeconfig);
    const { items } = await config.makeApiClient(AppsV1Api).listDeploymentForAllNamespaces();
    const registry = answer.smokeImage.split('/')[0]!;
    expect(items.map((item) => item.metadata?.name)).toEqual(
      expect.arrayContaining(['coredns', 'metrics-server', 'dashboard']),
    );
    for (const item of items) {
      expect(item.status?.availableReplicas, item.metadata?.name).toBe(item.spec?.replicas);
      for (const container of item.spec?.template.spec?.containers ?? []) {
        expect(container.image?.startsWith(`${registry}/`), container.image).toBe(true);
      }
    }
  });

  it('holds to the CIS benchmark, item by item', async () => {
    for (const host of answer.hosts) {
      const places = host === controlPlane ? (['control-plane', 'etcd', 'node'] as const) : (['node'] as const);
      const script = Buffer.from(cisScript(places)).toString('base64');
      const lines = (await ssh(host, `printf %s ${script} | base64 -d | sh`)).trim().split('\n');
      expect(lines, host.name).toEqual([
        `done ${CIS_CHECKS.filter(({ on }) => places.some((each) => each === on)).length}`,
      ]);
    }
  });

  it('answers kubectl top nodes', async () => {
    const lines = (await kubectl('top', 'nodes', '--no-headers')).trim().split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatch(/\d+m\s+\d+%\s+\d+Mi/);
  });

  it('carries traffic between pods of all nodes, and finds services by name', async () => {
    const labels = { app: 'e2e-net' };
    const manifest = [
      {
        apiVersion: 'apps/v1',
        kind: 'DaemonSet',
        metadata: { name: 'e2e-net' },
        spec: {
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: {
              tolerations: [{ operator: 'Exists' }],
              containers: [
                {
                  name: 'web',
                  image: answer.smokeImage,
                  command: ['sh', '-c', 'hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp'],
                },
              ],
            },
          },
        },
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'e2e-net' },
        spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
      },
    ];
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifest });
    await ssh(
      controlPlane,
      `printf %s '${Buffer.from(list).toString('base64')}' | base64 -d | kubectl --kubeconfig /etc/kubewright/admin.kubeconfig apply -f -`,
    );
    try {
      await kubectl('rollout', 'status', 'daemonset/e2e-net', '--timeout=120s');
      const pods = (
        JSON.parse(await kubectl('get', 'pods', '-l', 'app=e2e-net', '-o', 'json')) as {
          items: { metadata: { name: string }; status: { podIP: string }; spec: { nodeName: string } }[];
        }
      ).items;
      expect(new Set(pods.map((pod) => pod.spec.nodeName)).size).toBe(3);
      for (const from of pods) {
        for (const to of pods) {
          const page = await kubectl(
            'exec',
            from.metadata.name,
            '--',
            'timeout',
            '10',
            'wget',
            '-q',
            '-O-',
            `http://${to.status.podIP}:8080/`,
          );
          expect(page.trim()).toBe(to.metadata.name);
        }
        const byName = await kubectl(
          'exec',
          from.metadata.name,
          '--',
          'timeout',
          '10',
          'wget',
          '-q',
          '-O-',
          'http://e2e-net.default.svc.cluster.local/',
        );
        expect(pods.map((pod) => pod.metadata.name)).toContain(byName.trim());
      }
    } finally {
      await kubectl('delete', 'daemonset/e2e-net', 'service/e2e-net', '--wait=false');
    }
  });

  it('shows the nodes on the dashboard page', async () => {
    const ip = (
      await kubectl(
        '-n',
        'kube-system',
        'get',
        'service',
        'dashboard',
        '-o',
        "jsonpath='{.spec.clusterIP}:{.spec.ports[0].port}'",
      )
    ).trim();
    const page = await ssh(controlPlane, `curl --silent --fail --location http://${ip}/clusters/local/nodes`);
    for (const host of answer.hosts) expect(page).toContain(host.name);
  });

  it('gives the dashboard no way to secrets', async () => {
    const can = await kubectl(
      'auth',
      'can-i',
      'get',
      'secrets',
      '--all-namespaces',
      '--as=system:serviceaccount:kube-system:dashboard',
      '||',
      'true',
    );
    expect(can.trim()).toBe('no');
  });

  it('has a healthy etcd that accepts only TLS with client certificates', async () => {
    const health = await ssh(
      controlPlane,
      'etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/health.crt --key /etc/etcd/pki/health.key endpoint health --cluster',
    );
    expect(health).toContain('is healthy');
    await expect(
      ssh(controlPlane, 'curl --silent --max-time 5 --insecure https://127.0.0.1:2379/health'),
    ).rejects.toThrow();
    await expect(ssh(controlPlane, 'curl --silent --max-time 5 http://127.0.0.1:2379/health')).rejects.toThrow();
  });

  it('refuses clients without a certificate, and keeps secrets encrypted in etcd', async () => {
    const anonymous = await ssh(
      controlPlane,
      'curl --silent --insecure -o /dev/null -w "%{http_code}" https://127.0.0.1:6443/api/v1/nodes',
    );
    expect(anonymous).toBe('401');
    const kubelet = await ssh(
      controlPlane,
      'curl --silent --insecure -o /dev/null -w "%{http_code}" https://127.0.0.1:10250/pods',
    );
    expect(kubelet).toBe('401');
    await kubectl('create', 'secret', 'generic', 'e2e-sealed', '--from-literal=word=plainlyvisible');
    const raw = await ssh(
      controlPlane,
      'etcdctl --endpoints https://127.0.0.1:2379 --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/health.crt --key /etc/etcd/pki/health.key get /registry/secrets/default/e2e-sealed | base64',
    );
    const value = Buffer.from(raw, 'base64').toString('latin1');
    expect(value).toContain('k8s:enc:');
    expect(value).not.toContain('plainlyvisible');
    await kubectl('delete', 'secret', 'e2e-sealed');
  });

  it('has clients that follow the time server of the cluster', async () => {
    for (const host of answer.hosts.slice(1)) {
      expect(await ssh(host, 'chronyc -n sources')).toContain(controlPlane.address);
    }
  });

  it('builds again without changing or restarting anything', async () => {
    const since = await ssh(
      controlPlane,
      'systemctl show -p ActiveEnterTimestamp kube-apiserver etcd kubelet containerd',
    );
    const { stdout } = await demo('--exit', '--json');
    const again = demoAnswer.parse(JSON.parse(stdout.trim().split('\n').at(-1)!));
    expect(again.operation).not.toBe(answer.operation);
    const status = await api.request<OperationStatus>(
      'GET',
      `/clusters/${answer.cluster}/operations/${again.operation}`,
    );
    expect(status.state).toBe('succeeded');
    for (const task of status.tasks) {
      expect({ task: `${task.phase} on ${task.host}`, changes: task.changeCount, restarts: task.restarts }).toEqual({
        task: `${task.phase} on ${task.host}`,
        changes: 0,
        restarts: 0,
      });
    }
    expect(
      await ssh(controlPlane, 'systemctl show -p ActiveEnterTimestamp kube-apiserver etcd kubelet containerd'),
    ).toBe(since);

    // Each task looks once, and claims its host with that; beside it are the facts of preflight and what kubectl is asked
    // for. Facts of the session are read once more when its connection is new.
    const records = await api.commands(answer.cluster, { operation: again.operation });
    // Without phase: who asked for the operation, and how it ended.
    const commands = records.filter(({ phase }) => phase !== '');
    const perTask = new Map<string, number>();
    for (const { phase, host } of commands) {
      perTask.set(`${phase} on ${host}`, (perTask.get(`${phase} on ${host}`) ?? 0) + 1);
    }
    const more = [...perTask].filter(([, count]) => count > 1).map(([task]) => task.split(' ')[0]);
    // The health of the cluster is one more on each host, and one for all of it.
    expect(new Set(more)).toEqual(new Set(['health', 'preflight', 'metrics', 'node-labels', 'verify']));
    expect(commands.length).toBeLessThanOrEqual(39 + 2 * answer.hosts.length);
  });

  it('is degraded with reasons after a build without changes, and healthy when the reasons are gone', async () => {
    const path = `/clusters/${answer.cluster}`;
    const run = async (kind: 'build' | 'check') => {
      const { operation } = await api.request<{ operation: string }>('POST', `${path}/operations`, { kind });
      const status = await api.follow(answer.cluster, operation);
      expect(status).toMatchObject({ state: 'succeeded', health: { operationId: operation } });
      const { state, health } = await api.request<{ state: string; health: OperationStatus['health'] }>('GET', path);
      expect(health).toEqual(status.health);
      expect(state).toBe(health?.state === 'healthy' ? 'ready' : 'degraded');
      const reasons = health!.reasons.map(({ code, subject }) => `${code} ${subject}`).sort();
      return { status, reasons, texts: JSON.stringify(health) };
    };
    const [, cordoned, full] = answer.hosts.map(({ name }) => name) as [string, string, string];
    expect((await run('check')).reasons).toEqual([]);

    await kubectl('cordon', cordoned);
    await kubectl('taint', 'node', full, 'e2e=full:NoSchedule');
    const unchanged = await run('build');
    expect(unchanged.status.tasks.filter(({ changeCount }) => changeCount !== 0)).toEqual([]);
    const byHand = [`NODE_TAINTED node ${full}`, `NODE_UNSCHEDULABLE node ${cordoned}`];
    expect(unchanged.reasons).toEqual(byHand);

    const config = '/etc/kubernetes/kubelet.yaml';
    await ssh(
      answer.hosts[2]!,
      `cp -p ${config} /root/kept && sed -i 's/nodefs.available: .*/nodefs.available: 99%/' ${config} && systemctl restart kubelet`,
    );
    await kubectl('wait', '--for=condition=DiskPressure=True', `node/${full}`, '--timeout=60s');
    await kubectl('-n', 'kube-system', 'set', 'image', 'deployment/dashboard', "'*=registry.invalid/none:1'");
    const ill = await vi.waitFor(
      async () => {
        const found = await run('check');
        expect(found.texts).toMatch(/ImagePullBackOff|ErrImagePull/);
        return found;
      },
      { timeout: 60_000, interval: 500 },
    );
    const ours = ['WORKLOAD_UNAVAILABLE deployment kube-system/dashboard', `DISK_PRESSURE node ${full}`];
    expect(ill.reasons).toEqual(expect.arrayContaining([...byHand, ...ours]));

    await ssh(answer.hosts[2]!, `mv /root/kept ${config} && systemctl restart kubelet`);
    await kubectl('uncordon', cordoned);
    await kubectl('taint', 'node', full, 'e2e-');
    await kubectl('wait', '--for=condition=DiskPressure=False', `node/${full}`, '--timeout=90s');
    expect((await run('build')).reasons).toEqual([]);
  });

  it('makes one build of two POSTs with one Idempotency-Key', async () => {
    const { spec } = await api.request<{ spec: unknown }>('GET', `/clusters/${answer.cluster}`);
    const key = { 'idempotency-key': `e2e-${Date.now()}` };
    const post = () => api.request<{ operation: string }>('POST', '/clusters', spec, key);
    const [first, second] = await Promise.all([post(), post()]);
    const third = await post();
    expect(second.operation).toBe(first.operation);
    expect(third.operation).toBe(first.operation);
    const status = await api.follow(answer.cluster, first.operation);
    expect(status.state).toBe('succeeded');
  });

  it('answers a dry run with the difference, and changes nothing', async () => {
    const { spec } = await api.request<{
      spec: { spec: { hosts: { labels?: Record<string, string> }[]; phases: Record<string, object> } };
    }>('GET', `/clusters/${answer.cluster}`);
    const before = await ssh(
      controlPlane,
      'sha256sum /etc/kubernetes/*.yaml /etc/systemd/system/kube*.service 2>/dev/null | sha256sum',
    );
    spec.spec.phases['flannel'] = { backend: 'host-gw' };
    const plan = await api.request<{ tasks?: unknown[] }>('POST', '/clusters?dryRun=true', spec);
    expect(JSON.stringify(plan)).toContain('flannel');
    expect(
      await ssh(
        controlPlane,
        'sha256sum /etc/kubernetes/*.yaml /etc/systemd/system/kube*.service 2>/dev/null | sha256sum',
      ),
    ).toBe(before);
    expect(await ssh(controlPlane, 'ip -d link show flannel.1')).toContain('vxlan');
  });

  describe('for add-ons', () => {
    addonChecks(() => ({
      hosts: answer.hosts,
      smokeImage: answer.smokeImage,
      pythonImage: `${answer.smokeImage.split('/')[0]}/kube-web-view:${KUBE_WEB_VIEW.version}`,
    }));
  });

  it('changes one node after the other: each is Ready, as a control plane sees it, before the next', async () => {
    const { spec } = await api.request<{
      spec: { spec: { phases: { nodes: { kubelet: { config: Record<string, unknown> } } } } };
    }>('GET', `/clusters/${answer.cluster}`);
    // Beside what the lab sets for its machine.
    spec.spec.phases.nodes.kubelet.config['maxPods'] = 109;
    const { operation } = await api.request<{ operation: string }>('POST', '/clusters', spec);
    expect(await api.follow(answer.cluster, operation)).toMatchObject({ state: 'succeeded' });
    const records = await api.commands(answer.cluster, { operation });
    /** Of a node: when its kubelet was first changed, and when the control plane had said that it is Ready. */
    const turns = answer.hosts.map(({ name }) => {
      const changed = records.filter(
        ({ phase, host, changes }) => phase === 'nodes' && host === name && (changes?.length ?? 0) > 0,
      );
      const asked = records.filter(
        ({ phase, host, argv }) => phase === 'node-ready' && host === controlPlane.name && argv.includes(name),
      );
      expect({ name, changed: changed.length > 0, asked: asked.length }).toEqual({ name, changed: true, asked: 1 });
      return { from: Date.parse(changed[0]!.startedAt), to: Date.parse(asked[0]!.endedAt!) };
    });
    turns.sort((one, other) => one.from - other.from);
    for (const [index, { from, to }] of turns.entries()) {
      expect(to).toBeGreaterThan(from);
      if (index > 0) expect(from).toBeGreaterThanOrEqual(turns[index - 1]!.to);
    }
  });

  it('lists which command ran on which host', async () => {
    const commands = await api.commands(answer.cluster, { operation: answer.operation, host: answer.hosts[1]!.name });
    expect(commands.length).toBeGreaterThan(5);
    expect(new Set(commands.map((command) => command.host))).toEqual(new Set([answer.hosts[1]!.name]));
    for (const command of commands) expect(command.endedAt).not.toBeNull();
  });

  it('has its OpenAPI document behind the token-free docs page', async () => {
    const docs = (await (await fetch(`${answer.api}/docs/json`)).json()) as { openapi: string; paths: object };
    expect(docs.openapi).toMatch(/^3\./);
    expect(Object.keys(docs.paths)).toContain('/clusters');
    expect((await fetch(`${answer.api}/clusters`)).status).toBe(401);
  });
});
