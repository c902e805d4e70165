import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { makeBare, onHost, packageNames, Workbench } from './support.ts';

/** Whose host it is, and whether two hosts are one machine: told by preflight, before anything is changed. */

const lab = inject('lab');
const bench = new Workbench(lab);
const stranger = new Workbench(lab);
let packages: string[] = [];
let machineId = '';

const MARK = '/etc/kubewright/cluster';

beforeAll(async () => {
  await Promise.all([bench.open(), stranger.open()]);
  packages = await packageNames(lab, 'worker-1');
  machineId = await onHost(lab, 'worker-1', 'cat /etc/machine-id');
});
afterAll(async () => {
  await onHost(lab, 'worker-1', 'printf %s "$1" >/etc/machine-id', machineId);
  await makeBare(lab, 'worker-1', packages);
  await Promise.all([bench.close(), stranger.close()]);
});

test('a copy of another machine is refused while it is one, and no longer', async () => {
  const copied = (await onHost(lab, 'cp-1', 'cat /etc/machine-id')).trim();
  await bench.run({ phase: 'preflight', host: 'cp-1' });
  await onHost(lab, 'worker-1', 'echo "$1" >/etc/machine-id', copied);
  await bench.stops(
    { phase: 'preflight', host: 'worker-1' },
    {
      code: 'HOST_IDENTITY_CLASH',
      retryable: false,
      cause: /the host and cp-1 are one machine, or one is a copy/,
      evidence: new RegExp(copied),
    },
  );
  await onHost(lab, 'worker-1', 'printf %s "$1" >/etc/machine-id', machineId);
  await bench.run({ phase: 'preflight', host: 'worker-1' });
});

test('a host of another cluster is refused, also when that has the same name and another installation', async () => {
  await bench.run({ phase: 'prepare', host: 'worker-1' });
  const mark = (await onHost(lab, 'worker-1', `cat ${MARK}`)).trim();
  expect(mark).toMatch(new RegExp(`^${lab.name} [0-9a-f]{12}$`));
  await bench.run({ phase: 'preflight', host: 'worker-1' });

  await stranger.stops(
    { phase: 'preflight', host: 'worker-1' },
    {
      code: 'HOST_OF_ANOTHER_CLUSTER',
      retryable: false,
      cause: new RegExp(`another cluster that is called ${lab.name} too`),
      evidence: new RegExp(`${MARK}: ${mark}`),
    },
  );
  await onHost(lab, 'worker-1', `echo 'elsewhere 0123456789ab' >${MARK}`);
  await bench.stops(
    { phase: 'preflight', host: 'worker-1' },
    {
      code: 'HOST_OF_ANOTHER_CLUSTER',
      retryable: false,
      cause: /belongs to the cluster elsewhere/,
      evidence: /elsewhere/,
    },
  );
});
