import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Store } from '../../store/index.ts';
import { seedOperation } from '../support/seeded.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';

/** Issue 14: a client of GET /events whose connection is cut, and whose API restarts, misses no event and gets none twice. */

const CUTS = 100;
/** After so many cuts the API is restarted, in turn asked to end and killed. */
const RESTART_EVERY = 12;
const CLUSTERS = ['red', 'green', 'blue'];
/** Longest time that one connection stays open, ms. */
const OPEN_MS = 120;

let service: ServiceProcess;
let store: Store;
beforeAll(async () => {
  service = await startServiceProcess();
  store = await service.openStore();
  for (const name of CLUSTERS) await seedOperation(store, name);
});
afterAll(async () => {
  await store.close();
  await service.close();
});

/** What a client knows: the ids of the events that it got, and the last id, which it sends when it connects again. */
interface Client {
  last: string;
  got: string[];
  missed: number;
}

/** Reads whole events until `cut` aborts, or until the condition holds. What was received of an unfinished event is dropped. */
async function listen(client: Client, cut: AbortController, until: () => boolean = () => false): Promise<void> {
  let text = '';
  try {
    const answer = await fetch(`${service.url}/events`, {
      headers: { authorization: `Bearer ${service.adminToken}`, 'last-event-id': client.last },
      signal: cut.signal,
    });
    if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const whole = text.split('\n\n');
      text = whole.pop() ?? '';
      for (const each of whole) take(client, each);
      if (until()) break;
    }
  } catch (error) {
    // A cut, or an API that ended: both are what this test does.
    if (!cut.signal.aborted && !(error instanceof TypeError)) throw error;
  }
}

function take(client: Client, event: string): void {
  const [, id] = /^id: (.+)$/m.exec(event) ?? [];
  const [, type] = /^event: (.+)$/m.exec(event) ?? [];
  if (id !== undefined) client.last = id;
  if (type === 'missed') client.missed += 1;
  if (id !== undefined && (type === 'operation' || type === 'task')) client.got.push(id);
}

it('100 cuts at random moments with restarts of the API in between: none missed, none doubled', async () => {
  const begin = await store.events.last();
  const client: Client = { last: begin, got: [], missed: 0 };
  let writing = true;
  // Another process writes all the time, as a worker does, also while no API runs.
  const writer = (async () => {
    for (let version = 1; writing; version += 1) {
      await seedOperation(store, CLUSTERS[version % CLUSTERS.length]!, { version });
      await sleep(5);
    }
  })();
  let restarts = 0;
  for (let cuts = 1; cuts <= CUTS; cuts += 1) {
    const cut = new AbortController();
    const timer = setTimeout(() => cut.abort(), randomInt(5, OPEN_MS));
    if (cuts % RESTART_EVERY > 0) {
      await listen(client, cut);
    } else {
      clearTimeout(timer);
      const listening = listen(client, cut);
      await sleep(randomInt(5, OPEN_MS));
      if (restarts % 2 === 0) process.kill(service.pid, 'SIGKILL');
      await service.stop();
      await service.ended();
      await listening;
      await service.start();
      restarts += 1;
    }
    clearTimeout(timer);
  }
  writing = false;
  await writer;
  const newest = await store.events.last();
  const end = new AbortController();
  const late = setTimeout(() => end.abort(), 30_000);
  await listen(client, end, () => client.last >= newest);
  clearTimeout(late);
  end.abort();
  const all = await store.events.list({ clusters: null }, begin, 1_000_000);
  process.stdout.write(`events: ${CUTS} cuts, ${restarts} restarts, ${all.length} events\n`);
  expect(all.length).toBeGreaterThan(CUTS);
  expect(restarts).toBe(Math.floor(CUTS / RESTART_EVERY));
  expect(client.missed).toBe(0);
  expect(client.got).toEqual(all.map(({ id }) => id));
}, 400_000);
