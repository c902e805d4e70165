import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import check from '../../../activities/phases/preflight/checks/proxy.ts';
import { probeScript, readAnswers } from '../../../activities/phases/preflight/probe.ts';
import { requirementsOf, sampleCluster, sampleFacts } from '../../golden/golden.ts';

/** What the check says of this machine, where the spec has these proxies. */
function problemsHere(proxy: { http?: string; https?: string }) {
  const cluster = sampleCluster({ proxy });
  const host = cluster.spec.hosts[0]!;
  const { text, args } = probeScript([check], {
    cluster,
    host,
    requirements: requirementsOf(cluster, host),
    options: {},
  });
  const { stdout } = spawnSync('sh', ['-u', '-s', '--', ...args], { input: text, encoding: 'utf8' });
  const rows = readAnswers(stdout).get('proxy');
  expect(rows).toBeDefined();
  return problemsOf(rows!, { proxy });
}

function problemsOf(rows: string[][], sample: Parameters<typeof sampleCluster>[0] = {}) {
  const cluster = sampleCluster(sample);
  const input = { cluster, host: cluster.spec.hosts[0]!, options: {}, facts: sampleFacts, duplicateHost: null };
  return check.evaluate({ ...input, askedAtMs: 0, answeredAtMs: 0 } as never, rows);
}

/** A port without a listener. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('a proxy of the spec that takes no connection is named with its place', async () => {
  const port = await closedPort();
  const url = `http://127.0.0.1:${port}`;
  expect(problemsHere({ http: url, https: 'http://no-such-proxy.invalid:3128' })).toEqual([
    {
      code: 'PROXY_UNREACHABLE',
      message: `the proxy 127.0.0.1:${port} (spec.proxy.http) does not answer`,
      evidence: expect.stringMatching(/^spec\.proxy\.http 127\.0\.0\.1:\d+: .*Connection refused$/),
    },
    expect.objectContaining({ message: 'the proxy no-such-proxy.invalid:3128 (spec.proxy.https) does not answer' }),
  ]);
  const both = problemsHere({ http: url, https: url });
  expect(both.map(({ message }) => message)).toEqual([
    `the proxy 127.0.0.1:${port} (spec.proxy.http, spec.proxy.https) does not answer`,
  ]);
});

test('one that accepts connections passes, with any protocol', async () => {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  expect(problemsHere({ https: `http://127.0.0.1:${port}` })).toEqual([]);
  await new Promise((resolve) => server.close(resolve));
});

test('the proxy that apt or dnf is set to is named with file and line, and with the packages that would need it', () => {
  const said = [
    ['/etc/apt/apt.conf.d/99proxy:3', '192.0.2.1:3128', 'no answer within 5 s'],
    ['packages', 'chrony iptables '],
  ];
  expect(problemsOf(said)).toEqual([
    {
      code: 'PROXY_UNREACHABLE',
      message: 'the proxy 192.0.2.1:3128 of apt, set in /etc/apt/apt.conf.d/99proxy line 3, does not answer',
      evidence:
        '/etc/apt/apt.conf.d/99proxy:3 192.0.2.1:3128: no answer within 5 s; packages to be installed: chrony iptables',
    },
  ]);
  expect(problemsOf([['/etc/dnf/dnf.conf:7', 'proxy:8080', 'x'], said[1]!])[0]!.message).toMatch(/of dnf.*line 7/);
});
