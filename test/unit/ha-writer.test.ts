import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { longestGap, type Send, Writer } from '../../cli/dev/ha/writer.ts';

/** An API server in memory: what it acknowledged is what it has, unless a test takes it away. */
class Server {
  readonly objects = new Map<string, string>();
  down = false;
  /** Attempts that are carried out, and whose answer is lost. */
  losesAnswers = 0;

  send: Send = async (_stream, method, path, body) => {
    if (this.down) throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    if (method === 'GET') return this.page(Number(new URL(path, 'http://api').searchParams.get('continue') ?? 0));
    const { metadata, data } = body as { metadata: { name: string }; data: { content: string } };
    if (this.objects.has(metadata.name)) return { status: 409, body: '' };
    this.objects.set(metadata.name, data.content);
    if (this.losesAnswers > 0) {
      this.losesAnswers -= 1;
      throw new Error('no answer');
    }
    return { status: 201, body: '' };
  };

  /** Three objects a page: the writer must follow `continue`. */
  private page(from: number) {
    const items = [...this.objects].slice(from, from + 3);
    const metadata = from + 3 < this.objects.size ? { continue: String(from + 3) } : {};
    const list = items.map(([name, content]) => ({ metadata: { name }, data: { content } }));
    return { status: 200, body: JSON.stringify({ metadata, items: list }) };
  }
}

const written = async (server: Server, work: () => Promise<void>) => {
  const writer = new Writer(server.send, 'bench', 'w');
  await work();
  return writer.stop();
};

describe('the client that writes', () => {
  it('writes in turn over both kinds of connection, and finds all of it', async () => {
    const server = new Server();
    const report = await written(server, () => sleep(700));
    const { kept, new: fresh } = report.streams;
    expect(kept.acknowledged + fresh.acknowledged).toBe(server.objects.size);
    expect(Math.abs(kept.acknowledged - fresh.acknowledged)).toBeLessThanOrEqual(1);
    expect(server.objects.size).toBeGreaterThan(4);
    expect(report).toMatchObject({ failures: {}, open: 0, missing: [] });
  });

  it('names each acknowledged object that is not there, or is another', async () => {
    const server = new Server();
    const report = await written(server, async () => {
      await sleep(400);
      server.objects.delete('w-1');
      server.objects.set('w-2', 'of somebody else');
    });
    expect(report.missing.sort()).toEqual(['w-1', 'w-2']);
  });

  it('measures an outage as a gap, counts the attempts that failed, and writes everything after it', async () => {
    const server = new Server();
    const report = await written(server, async () => {
      await sleep(200);
      server.down = true;
      await sleep(600);
      server.down = false;
      await sleep(300);
    });
    for (const { gapMs } of Object.values(report.streams)) expect(gapMs).toBeGreaterThanOrEqual(500);
    expect(report.failures['ECONNREFUSED']).toBeGreaterThan(5);
    expect(report).toMatchObject({ open: 0, missing: [] });
  });

  it('counts a write whose answer was lost once, as acknowledged by the second attempt', async () => {
    const server = new Server();
    server.losesAnswers = 2;
    const report = await written(server, () => sleep(400));
    expect(report).toMatchObject({ failures: { 'no answer': 2 }, open: 0, missing: [] });
    expect(report.streams.kept.acknowledged + report.streams.new.acknowledged).toBe(server.objects.size);
  });
});

it('the longest gap is between neighbours in time', () => {
  expect(longestGap([50, 10, 20])).toEqual({ gapMs: 30, gapAt: 20 });
  expect(longestGap([7])).toEqual({ gapMs: 0, gapAt: 7 });
});
