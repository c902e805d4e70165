import { afterAll, beforeAll, expect, it } from 'vitest';
import { Field } from './field.ts';

const field = new Field();
const HOSTS = ['cp-1', 'worker-1', 'worker-2'];
const OWN_RULES = 'ufw allow 22/tcp >/dev/null; ufw deny 10250 >/dev/null; ufw --force enable >/dev/null';

beforeAll(async () => {
  await Promise.all(HOSTS.map((host) => field.install(host, 'ufw')));
  await Promise.all(HOSTS.map((host) => field.on(host, OWN_RULES)));
});
afterAll(async () => {
  await Promise.all(HOSTS.map((host) => field.on(host, 'ufw disable; apt-get -q -y purge ufw >/dev/null 2>&1')));
});

const added = (host: string) => field.on(host, 'ufw show added');

it('a cluster behind ufw: opened for its hosts and pods alone, also for a host that comes later, and closed again', async () => {
  const before = await added('cp-1');
  expect(before).toContain('ufw deny 10250');
  try {
    const two = field.spec('field-ufw', { hosts: 2 });
    await field.built(two);
    const [cp = '', worker = '', later = ''] = field.lab.hosts.map(({ address }) => address);
    const rules = await added('cp-1');
    expect(rules).toMatch(
      new RegExp(`ufw allow from ${worker} to any port [0-9,]*6443[0-9,]* proto tcp comment 'kubewright: `),
    );
    expect(rules).toContain(`ufw allow from ${worker} to any port 123,8472 proto udp`);
    expect(rules).toContain('ufw route allow from 10.244.0.0/16');
    expect(rules).not.toContain(later);
    expect(await added('worker-1')).toContain(`ufw allow from ${cp} to any port 4443,10250 proto tcp`);
    // The lab's own machine is no host of the cluster.
    expect(rules).not.toContain('ufw allow 6443');
    // The verify phase has sent packets between pods, services and nodes. Nothing more to do.
    expect((await field.dryRun(two)).changeCount).toBe(0);

    await field.built(field.spec('field-ufw', { hosts: 3 }));
    expect(await added('cp-1')).toContain(`ufw allow from ${later} `);
  } finally {
    await field.remove('field-ufw');
  }
  expect(await added('cp-1')).toBe(before);
});
