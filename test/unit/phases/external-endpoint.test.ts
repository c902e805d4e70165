import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { afterEach, expect, test } from 'vitest';
import external from '../../../activities/phases/external/phase.ts';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { sampleContext } from '../../golden/golden.ts';

const now = new Date();
const ours = await issueCa('sample kubernetes CA', now);
const theirs = await issueCa('another kubernetes CA', now);
const REFUSED = JSON.stringify({ kind: 'Status', status: 'Failure', code: 401 });

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
async function serving(
  answer: RequestListener,
  { ca = ours, name = 'kube-apiserver', ips = ['127.0.0.1'] } = {},
): Promise<number> {
  const leaf = { authority: 'kubernetes', name: 'a', commonName: name, ipAddresses: ips, usages: ['server'] } as const;
  const { cert, key } = await issueLeaf(ca, { ...leaf, ipAddresses: [...ips], usages: ['server'] }, now);
  const server = createServer({ cert, key }, answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

/** Runs the check on this machine, for an endpoint on loopback, without its patience. Returns how many connections it made. */
async function check(port: number, host = '127.0.0.1', from = 'worker-1'): Promise<void> {
  const context = await sampleContext(external, { host: from });
  context.cluster.spec.controlPlane = { endpoint: { provider: 'external', host, port } };
  const script = async (text: string, args: string[]) => {
    const child = spawn('sh', ['-eu', '-s', '--', ...args.slice(0, -1), '0'], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(text);
    let stdout = '';
    child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
    const [code] = (await once(child, 'close')) as [number];
    return { code, stdout, stderr: '' };
  };
  await external.check!({
    ...context,
    offer: () => ({ host, port }),
    pki: { ...context.pki, ca: () => Promise.resolve(ours.cert) },
    remote: { name: from, script },
    fail: (code: never, message: string, evidence?: string) => {
      throw new KubewrightError(code, message, { evidence });
    },
  } as never);
}
const refuses: RequestListener = (_request, answer) => answer.writeHead(401).end(REFUSED);

test('API servers of the cluster answer by the endpoint: a node asks a few times, a control plane often', async () => {
  const asked: string[] = [];
  const port = await serving((request, answer) => {
    asked.push(request.url ?? '');
    refuses(request, answer);
  });
  await check(port);
  expect(asked).toEqual(['/readyz', '/readyz', '/readyz']);
  await check(port, '127.0.0.1', 'cp-1');
  expect(asked).toHaveLength(15);
});

test('another cluster, a kubelet, and an API server without the name are named with each hop', async () => {
  await expect(check(await serving(refuses, { ca: theirs }))).rejects.toMatchObject({
    code: 'ENDPOINT_LEADS_ELSEWHERE',
    evidence: expect.stringMatching(
      /^DNS 127\.0\.0\.1: 127\.0\.0\.1\n.*TCP: connected; TLS: .*another kubernetes CA.*0 of 1/,
    ),
  });
  const kubelet = await serving((_request, answer) => answer.writeHead(401).end('Unauthorized'), {
    name: 'system:node:worker-1',
  });
  await expect(check(kubelet)).rejects.toMatchObject({
    code: 'ENDPOINT_LEADS_ELSEWHERE',
    evidence: expect.stringContaining('CN=system:node:worker-1'),
  });
  await expect(check(await serving(refuses, { ips: ['192.0.2.9'] }))).rejects.toMatchObject({
    evidence: expect.stringContaining('without this name in its certificate: IP Address:192.0.2.9'),
  });
});

test('each has its own code: no address, a refused connection, an API server that is not ready', async () => {
  await expect(check(6443, 'no-such-name.invalid')).rejects.toMatchObject({ code: 'ENDPOINT_UNRESOLVED' });
  const port = await serving(refuses);
  servers.pop()!.close();
  await expect(check(port, '127.0.0.1', 'cp-1')).rejects.toMatchObject({
    code: 'ENDPOINT_UNREACHABLE',
    evidence: expect.stringMatching(/TCP: connection refused[^]*cp-1 is a control plane: the balancer has to lead/),
  });
  const unready = await serving((_request, answer) => answer.writeHead(503).end('not ready'));
  await expect(check(unready)).rejects.toMatchObject({
    code: 'ENDPOINT_UNREACHABLE',
    evidence: expect.stringContaining('HTTP GET /readyz: 503'),
  });
});

test('a balancer that leads some connections nowhere is no endpoint for a control plane', async () => {
  let count = 0;
  const port = await serving((request, answer) => {
    count += 1;
    if (count % 3 === 0) request.socket.destroy();
    else refuses(request, answer);
  });
  await expect(check(port, '127.0.0.1', 'cp-1')).rejects.toMatchObject({
    code: 'ENDPOINT_UNREACHABLE',
    evidence: expect.stringContaining('2 of 3 connections got through'),
  });
});
