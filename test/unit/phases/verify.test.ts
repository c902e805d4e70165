import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { missingNodes, TOP_SCRIPT } from '../../../activities/phases/metrics-ready/top.ts';
import {
  NODES_SCRIPT,
  parseFailures,
  SILENT_FUNCTION,
  unreachableNodes,
  unreadyNodes,
} from '../../../activities/phases/verify/checks.ts';
import verify from '../../../activities/phases/verify/phase.ts';
import { SMOKE_SCRIPT } from '../../../activities/phases/verify/smoke-script.ts';

const line = (...words: string[]) => words.join('\t');

test('all nodes Ready at the version: no problems', () => {
  const output = [line('node', 'cp-1', 'v1.36.3', 'True', 'ok'), line('node', 'w-1', 'v1.36.3', 'True', ''), 'end'];
  expect(unreadyNodes(output.join('\n'), { wanted: ['cp-1', 'w-1'], version: '1.36.3' })).toEqual([]);
});

test('each problem is one sentence that names the node', () => {
  const output = [
    line('node', 'cp-1', 'v1.36.3', 'False', 'container runtime is down'),
    line('node', 'w-1', 'v1.35.4', 'True', ''),
    'end',
  ].join('\n');
  expect(unreadyNodes(output, { wanted: ['cp-1', 'w-1', 'w-2'], version: '1.36.3' })).toEqual([
    { node: 'cp-1', what: 'cp-1 is not Ready: container runtime is down' },
    { node: 'w-1', what: 'w-1 runs kubelet v1.35.4, not v1.36.3' },
    { node: 'w-2', what: 'w-2 is not registered' },
  ]);
});

test('a node in quarantine is not waited for', () => {
  const output = [
    line('node', 'cp-1', 'v1.36.3', 'True', ''),
    line('node', 'w-1', 'v1.36.3', 'Unknown', 'Kubelet stopped posting node status.'),
    'end',
  ].join('\n');
  expect(unreadyNodes(output, { wanted: ['cp-1'], version: '1.36.3' })).toEqual([]);
});

test('no answer is not a healthy cluster', () => {
  expect(unreadyNodes('', { wanted: ['cp-1'], version: '1.36.3' })).toMatchObject([
    { what: 'the API server did not answer' },
  ]);
});

test('failures name the check and both nodes', () => {
  const output = `noise\n${line('failed', 'pod-network', 'w-1', 'w-2', '10.244.2.5: timed out ')}\nend\n`;
  expect(parseFailures(output)).toEqual([
    { check: 'pod-network', from: 'w-1', to: 'w-2', what: '10.244.2.5: timed out' },
  ]);
});

test.each([SMOKE_SCRIPT, NODES_SCRIPT, TOP_SCRIPT])('scripts are sound shell', (input) => {
  execFileSync('sh', ['-n'], { input });
});

test('a node that refuses a connection is reachable, one without any answer is not', () => {
  const input = `set -eu\n${SILENT_FUNCTION}silent "$1" | sed 's/^/silent\\t/'; echo end\n`;
  const unreachable = (nodes: string) =>
    unreachableNodes(execFileSync('sh', ['-s', nodes], { input, encoding: 'utf8' }));
  expect(unreachable('here 127.0.0.1\ngone 255.255.255.255')).toEqual(['gone']);
  expect(unreachable('')).toEqual([]);
});

test('verify does not wait for the phase metrics before it tries pods: their waits go on at the same time', () => {
  expect(verify.needs.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['dns', 'pod-network', 'node-agent']));
  expect(verify.needs.map(({ phase }) => phase)).not.toContain('metrics');
});

test('figures of every node are waited for; an API that was never built is not', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubewright-top-'));
  /** A kubectl whose metrics API knows one more node each time that it is asked. */
  const kubectl = (apiService: string) =>
    writeFileSync(
      join(folder, 'kubectl'),
      `#!/bin/sh
case $* in
  *apiservice*) ${apiService} ;;
  *) echo x >>${folder}/asked; n=$(wc -l <${folder}/asked)
    [ "$n" -gt 1 ] || exit 1
    for i in $(seq 2 "$n"); do printf '{"metadata":{"name":"w-%s"}}' "$i"; done ;;
esac
`,
      { mode: 0o755 },
    );
  const top = (seconds: number, ...nodes: string[]) => {
    rmSync(join(folder, 'asked'), { force: true });
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` };
    const input = `set -eu\n${TOP_SCRIPT}`;
    return missingNodes(
      execFileSync('sh', ['-s', String(seconds), 'metrics.k8s.io/v1beta1', ...nodes], { input, encoding: 'utf8', env }),
      nodes,
    );
  };
  try {
    kubectl('true');
    expect(top(10, 'w-2', 'w-3')).toEqual([]);
    expect(top(0, 'w-2', 'w-3')).toEqual(['w-2', 'w-3']);
    expect(top(0)).toEqual([]);
    kubectl('echo "Error from server (NotFound): apiservices not found" >&2; exit 1');
    expect(top(10, 'w-9')).toEqual([]);
    kubectl('echo "connection refused" >&2; exit 1');
    expect(top(0, 'w-9')).toEqual(['w-9']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
