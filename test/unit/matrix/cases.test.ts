import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { issueCa, issueLeaf } from '../../../activities/pki/certificates.ts';
import { matrixEntries, pairsOfCases } from '../../../cli/dev/matrix-entries.ts';
import { checkoutRoot } from '../../../cli/dev/paths.ts';
import { clusterSpec } from '../../../contracts/cluster.ts';
import { hostNames, labRoles } from '../../../lab/roles.ts';
import { dimensionsOf } from '../../matrix/kit/choices.ts';
import { labNameOf, specOf } from '../../matrix/kit/draft.ts';
import { EXTERNAL_ETCD_CREDENTIAL } from '../../matrix/kit/external-etcd.ts';
import { COMBINATION_HOSTS, loadCases } from '../../matrix/kit/load.ts';
import { answersOf, missingPairs, pairName } from '../../matrix/kit/pairs.ts';
import { proposedSpec } from '../../matrix/kit/proposed-spec.ts';
import { hostsThatLeave } from '../../matrix/kit/steps.ts';
import { testApi } from '../api/support.ts';

/** Bound on a hang of a process that loads all phases, ms: the machine may be busy with anything. */
const PROCESS_MS = 240_000;

const cases = await loadCases();
const phases = await loadPhases();

/** As the runner stores it for cases with an etcd of others. */
async function clientCertificate(): Promise<object> {
  const ca = await issueCa('etcd', new Date());
  const request = { authority: 'etcd' as const, name: 'kube', commonName: 'kube', usages: ['client' as const] };
  const { cert, key } = await issueLeaf(ca, request, new Date());
  return { kind: 'client-certificate', certificate: cert, privateKey: key, ca: ca.cert, clusters: ['*'] };
}

describe.each(cases)('$name', (each) => {
  const proposed = proposedSpec(each);

  it('is accepted, and again with its changed option', async () => {
    const api = await testApi({ phases });
    try {
      const credentials = each.externalEtcd
        ? { ...each.credentials, [EXTERNAL_ETCD_CREDENTIAL]: await clientCertificate() }
        : each.credentials;
      for (const [name, body] of Object.entries(credentials ?? {}))
        expect((await api.call('PUT', `/credentials/${name}`, { body })).status).toBe(200);
      for (const changed of [false, true]) {
        const answer = await api.call('POST', '/clusters', { body: specOf(each, proposed, { changed }) });
        expect(answer.status, answer.text).toBe(202);
      }
    } finally {
      await api.close();
    }
  });

  it('changes something, and leaves the proposed spec as it is', () => {
    const before = structuredClone(proposed);
    expect(specOf(each, proposed)).not.toEqual(specOf(each, proposed, { changed: true }));
    expect(proposed).toEqual(before);
  });

  it('names phases that there are, and a host that may leave', () => {
    const known = phases.map(({ name }) => name);
    expect((each.with ?? []).filter((name) => !known.includes(name))).toEqual([]);
    const cluster = clusterSpec.parse(specOf(each, proposed));
    const { hosts } = cluster.spec;
    const leaving = hostsThatLeave(each, cluster);
    expect(hosts.map(({ name }) => name)).toEqual(expect.arrayContaining([...leaving]));
    const rolesOf = (some: typeof hosts) => new Set(some.flatMap(({ roles }) => roles));
    const staying = rolesOf(hosts.filter(({ name }) => !leaving.includes(name)));
    expect([...rolesOf(hosts)].filter((role) => role !== 'worker' && !staying.has(role))).toEqual([]);
    expect(hostNames(labRoles(each.hosts)).length).toBeGreaterThan(1);
  });
});

it('every two choices meet in a case, but those that are refused', { timeout: PROCESS_MS }, async () => {
  const { missing, refused } = await pairsOfCases();
  expect(missing).toEqual([]);
  expect(refused.join('\n')).toMatch(/runtime docker with hosts rhel: package docker.io on rhel/);
});

it('where the kernel refuses some cases, the others still have every two choices but those that it refuses', () => {
  const dimensions = dimensionsOf(phases);
  const answers = cases
    .filter(({ refusal }) => refusal === undefined)
    .map((each) => answersOf(dimensions, specOf(each, proposedSpec(each)), each));
  const missing = missingPairs(answers, proposedSpec({ hosts: COMBINATION_HOSTS }), phases).map(pairName);
  expect(missing.length).toBeGreaterThan(0);
  expect(missing.filter((pair) => !pair.includes('proxy ipvs'))).toEqual([]);
});

it('a combination checks that its choices are in effect', () => {
  const titles = (each: (typeof cases)[number] | undefined) => each?.checks?.map(({ title }) => title) ?? [];
  const withDocker = cases.filter(({ name }) => /^with-.*docker/.test(name));
  expect(withDocker.length).toBeGreaterThan(0);
  for (const each of withDocker) expect(titles(each), each.name).toContain('nodes run the runtime of the spec');
});

it('every case has a lab of its own', () => {
  const names = cases.map(({ name }) => labNameOf(name));
  expect(new Set(names).size).toBe(cases.length);
  for (const name of names) expect(name).toMatch(/^[a-z][a-z0-9]{1,7}$/);
});

it('the list has the cases of the folder and the longer ones, as one JSON document', {
  timeout: PROCESS_MS,
}, async () => {
  const command = ['cli/dev/matrix.ts', '--list', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: checkoutRoot });
  const listed = JSON.parse(stdout) as { name: string; title: string }[];
  expect(listed).toEqual(await matrixEntries());
  expect(listed.map(({ name }) => name)).toEqual(
    expect.arrayContaining([...cases.map(({ name }) => name), 'switches']),
  );
  for (const { name, title } of listed) expect(title.length, name).toBeGreaterThan(10);
});

it('a case that does not exist is refused by name', { timeout: PROCESS_MS }, async () => {
  const command = ['cli/dev/matrix.ts', '--case', 'nosuch'];
  await expect(promisify(execFile)(process.execPath, command, { cwd: checkoutRoot })).rejects.toMatchObject({
    stderr: expect.stringMatching(/nosuch.*flannel-vxlan/s),
  });
});

it('cases do not import vitest: the list is read outside of it', () => {
  for (const name of readdirSync(join(checkoutRoot, 'test/matrix/cases'))) {
    const text = readFileSync(join(checkoutRoot, 'test/matrix/cases', name), 'utf8');
    expect(text, name).not.toMatch(/from 'vitest'/);
  }
});
