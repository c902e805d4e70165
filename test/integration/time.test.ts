import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { CATALOGUE } from '../../activities/phases/catalogue.ts';
import { labDown, labUp } from '../../lab/lab.ts';
import { differences, HOST_SNAPSHOT } from '../support/host-snapshot.ts';
import { makeBare, onHost, packageNames, type SpecDraft, Workbench } from './support.ts';
import { pathOf, SmallMirror } from './support-mirror.ts';

/** One time daemon after the other on one host: each runs alone, and a teardown gives back what was there before the first. */

const HOST = 'cp-1';
const SLOW = { timeout: 600_000 };
/** A lab of its own: what was there before the first build is what this is about. */
const lab = await labUp({ name: inject('lab').name.replace('kwt', 'kwc'), hosts: 2, mirror: false });
const bench = new Workbench(lab);
const mirror = new SmallMirror();
let before = '';

/** The phases that a spec with this choice has on the host, up to the one that takes the old choice away. */
async function build(chosen: Record<string, Record<string, unknown>>): Promise<void> {
  const change = (spec: SpecDraft) => {
    for (const host of spec.hosts) host.roles = host.roles.filter((role) => role !== 'time-server');
    spec.phases = { ...spec.phases, ...chosen };
    spec.artifacts = { mirror: mirror.url };
  };
  const [phase = 'chrony'] = Object.keys(chosen);
  for (const name of ['preflight', 'prepare', phase, 'cleanup']) await bench.run({ phase: name, host: HOST, change });
}
const daemons = async () =>
  (await onHost(lab, HOST, `ps -e -o comm= | grep -Ex 'chronyd|ntpd|systemd-timesyn' | sort -u || :`))
    .split('\n')
    .filter(Boolean);
const ours = async () =>
  (
    await onHost(
      lab,
      HOST,
      'find /etc /lib/systemd/system -path "*kubewright*" | grep -v kubewright-lab | grep -E "ntpsec|chrony|timesync" || :',
    )
  )
    .split('\n')
    .filter(Boolean)
    .sort();

beforeAll(async () => {
  await bench.open();
  // The closing phase asks what every phase would place; nothing of it is downloaded.
  for (const artifact of CATALOGUE.artifacts) mirror.files.set(pathOf(artifact), Buffer.from(artifact.name));
  await mirror.start(lab.gateway);
  await makeBare(lab, HOST, await packageNames(lab, HOST));
  // What distributions come with.
  await onHost(
    lab,
    HOST,
    'DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends systemd-timesyncd </dev/null',
  );
  before = await onHost(lab, HOST, HOST_SNAPSHOT);
}, 300_000);
afterAll(async () => {
  await mirror.stop();
  await bench.close();
  await labDown(lab.name);
});

test('a switch takes the old daemon away, and a teardown brings back that of the distribution', SLOW, async () => {
  await build({ chrony: {} });
  expect(await daemons()).toEqual(['chronyd']);
  await build({ ntpsec: {} });
  expect(await daemons()).toEqual(['ntpd']);
  expect(await ours()).toEqual([
    '/etc/ntpsec/ntp.d/kubewright.conf',
    '/etc/systemd/system/ntpsec.service.d/kubewright.conf',
  ]);
  await build({ 'systemd-timesyncd': {} });
  expect(await daemons()).toEqual(['systemd-timesyn']);
  expect(await ours()).toEqual([
    '/etc/systemd/system/systemd-timesyncd.service.d/kubewright.conf',
    '/etc/systemd/timesyncd.conf.d/kubewright.conf',
  ]);
  await build({ ntpsec: {} });
  expect(await daemons()).toEqual(['ntpd']);

  await bench.run({ phase: 'teardown', kind: 'teardown', host: HOST });
  expect(differences(before, await onHost(lab, HOST, HOST_SNAPSHOT))).toEqual([]);
  expect(await daemons()).toEqual([]);
});

test('a daemon of the user is named, and stays', SLOW, async () => {
  await onHost(
    lab,
    HOST,
    'DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends openntpd </dev/null',
  );
  await expect(bench.run({ phase: 'preflight', host: HOST })).rejects.toMatchObject({
    code: 'TIME_DAEMON_RUNNING',
    message: expect.stringContaining('openntpd.service'),
  });
});
