import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';
import type { RegistryAccess } from '../../../activities/kube/registries.ts';
import type { CheckInput } from '../../../activities/phases/preflight/check.ts';
import registries from '../../../activities/phases/preflight/checks/registries.ts';
import { probeScript, readAnswers } from '../../../activities/phases/preflight/probe.ts';
import { registryFunctions } from '../../../activities/phases/preflight/registry-logins.ts';
import { secretText } from '../../../activities/resources/resource.ts';
import { sampleCluster, sampleFacts } from '../../golden/golden.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A registry that wants a login: `basic`, or a token of a server that it names. */
async function registry(login: string, challenge?: string): Promise<string> {
  const server = createServer((request, response) => {
    if (request.headers.authorization === `Basic ${login}`) return response.end('{}');
    response.statusCode = 401;
    response.setHeader('WWW-Authenticate', challenge ?? 'Basic realm="private"');
    return response.end();
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const LOGIN = Buffer.from('ann:right one').toString('base64');

function input(list: readonly object[], proxy?: object): CheckInput<never> {
  const cluster = sampleCluster({ registries: list, proxy });
  return {
    ...{ cluster, host: cluster.spec.hosts[1]!, requirements: [], options: {} as never, facts: sampleFacts },
    ...{ duplicateHost: null, askedAtMs: 0, answeredAtMs: 0 },
  };
}

const access = (host: string, login: string | null): RegistryAccess => ({
  ...{ host, url: `http://${host}`, plainHttp: true, mirrors: [], ca: null, client: null },
  login: login === null ? null : secretText(login),
});

/** What the check finds, asked by its script on this machine. */
async function problems(list: readonly { host: string }[], logins: readonly (string | null)[]) {
  const of = input(list.map(({ host }) => ({ host, plainHttp: true })));
  const opened = list.map(({ host }, index) => access(host, logins[index] ?? null));
  const { text, args } = probeScript([registries], of, new Map(), opened);
  // The spec refuses logins without TLS; the script is the same.
  const words = args.map((word, index) => (index % 4 === 2 && logins[Math.floor(index / 4)] ? 'yes' : word));
  const { stdout } = await promisify(execFile)('sh', ['-c', text, 'sh', ...words]);
  return registries.evaluate(of, readAnswers(stdout).get('registries') ?? []);
}

it('a registry that takes the login is no problem, one that refuses it is named with its answer', async () => {
  const host = await registry(LOGIN);
  expect(await problems([{ host }], [LOGIN])).toEqual([]);
  expect(await problems([{ host }], [Buffer.from('ann:wrong').toString('base64')])).toEqual([
    {
      code: 'REGISTRY_LOGIN_REFUSED',
      message: `http://${host} refuses the login of spec.registries[0]`,
      evidence: `http://${host}: HTTP 401`,
    },
  ]);
  // Public registries answer 401 with the address of a token server.
  expect(await problems([{ host }], [null])).toEqual([]);
});

it('a registry that does not answer is named with the words of curl', async () => {
  const host = await registry(LOGIN);
  const [gone] = servers.splice(0);
  await new Promise((resolve) => gone!.close(resolve));
  expect(await problems([{ host }], [null])).toMatchObject([
    { code: 'REGISTRY_UNREACHABLE', evidence: expect.stringMatching(/curl: \(7\)/) },
  ]);
});

it('a login goes to no token server without TLS', async () => {
  const token = await registry('never');
  const host = await registry('never', `Bearer realm="http://${token}/token",service="x"`);
  expect(await problems([{ host }], [LOGIN])).toEqual([]);
});

it('each server without mirrors and each mirror is asked, on nodes, and not through a proxy', () => {
  const list = [
    { host: 'docker.io', mirrors: ['https://m.test:5000', 'https://other.test/hub'] },
    { host: 'm.test:5000', credential: { name: 'm' } },
  ];
  expect(registries.probe!.args(input(list))).toEqual([
    ...['spec.registries[1]', '1', 'yes', 'https://m.test:5000'],
    ...['spec.registries[0].mirrors[0]', '-', '', 'https://other.test'],
  ]);
  expect(registries.probe!.args(input(list, { https: 'http://proxy.test:3128' }))).toBeNull();
});

it('no secret is in an argument', () => {
  const text = registryFunctions([access('a.test', LOGIN)]);
  const line = text.split('\n').find((each) => each.includes('curl -q'))!;
  expect(text).toContain(LOGIN);
  expect(line).not.toContain(LOGIN);
  expect(line).toContain('--config /dev/fd/3 "$@" 3<<\'END_OF_TEXT\'');
});
