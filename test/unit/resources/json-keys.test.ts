import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { converge } from '../../../activities/resources/engine/engine.ts';
import { noLongerDesired } from '../../../activities/resources/engine/no-longer-desired.ts';
import { previewTogether, undo } from '../../../activities/resources/engine/undo.ts';
import { type Json, jsonKeys } from '../../../activities/resources/json-keys.ts';
import { readLedger } from '../../../activities/resources/ledger.ts';
import type { Resource } from '../../../activities/resources/resource.ts';
import { service } from '../../../activities/resources/service.ts';
import { FACTS, LocalHost, RUNS_HERE } from './support/local-host.ts';

let host: LocalHost;
let path: string;
beforeEach(() => {
  host = new LocalHost();
  mkdirSync(host.path('etc'));
  path = host.path('etc/daemon.json');
});
afterEach(() => host.dispose());

const apply = (resources: readonly Resource[]) =>
  converge({ remote: host, resources, facts: FACTS, mode: 'apply', phase: 't', signal: new AbortController().signal });
const entries = async () => (await readLedger(host)).entries;
const takeBack = async (desired: readonly Resource[] = []) =>
  undo(host, noLongerDesired(await entries(), desired), { stage: 'middle', facts: FACTS });
const words = (changes: Awaited<ReturnType<typeof takeBack>>) =>
  changes.map(({ action, detail }) => `${action} ${detail.replace(path, 'FILE')}`);
const read = () => JSON.parse(readFileSync(path, 'utf8')) as Record<string, Json>;

const OURS = { 'live-restore': true, 'log-opts': { 'max-size': '100m' }, 'exec-opts': ['native.cgroupdriver=systemd'] };

describe.skipIf(!RUNS_HERE)('members of a JSON file', () => {
  it('a new file has them, and goes with them', async () => {
    await apply([jsonKeys(path, OURS)]);
    expect(read()).toEqual(OURS);
    expect((await apply([jsonKeys(path, OURS)])).changes).toEqual([]);
    expect((await takeBack()).at(-1)).toMatchObject({ action: 'remove' });
    expect(() => statSync(path)).toThrow(/ENOENT/);
    expect(await entries()).toEqual([]);
  });

  it('those of others stay, and the file is byte for byte what it was after a teardown', async () => {
    const before =
      '{ "debug":true,\n\t"log-opts": {"tag" : "x, } y"}, "live-restore": false,"dns": [ "10.0.0.1" ] }\n\n';
    writeFileSync(path, before, { mode: 0o640 });
    const { changes } = await apply([jsonKeys(path, OURS)]);
    expect(changes[0]?.detail).toContain('live-restore false → true');
    expect(read()).toEqual({ ...JSON.parse(before), ...OURS, 'log-opts': { tag: 'x, } y', 'max-size': '100m' } });
    expect(statSync(path).mode & 0o777).toBe(0o640);
    await takeBack();
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('what others wrote meanwhile stays at a teardown, and only ours goes', async () => {
    writeFileSync(path, '{"debug": true, "live-restore": false}');
    await apply([jsonKeys(path, OURS)]);
    writeFileSync(path, JSON.stringify({ ...read(), debug: false, mtu: 1400 }));
    const preview = await previewTogether(host, await entries(), { facts: FACTS });
    expect(read()).toHaveProperty('log-opts');
    const done = await takeBack();
    expect(preview.map(({ detail }) => detail)).toEqual(done.map(({ detail }) => detail));
    expect(read()).toEqual({ debug: false, 'live-restore': false, mtu: 1400 });
    expect(words(done)).toEqual(['remove exec-opts', 'remove log-opts.max-size', 'update live-restore false']);
  });

  it('one that is no longer desired gets its earlier value, the others stay', async () => {
    writeFileSync(path, '{"log-opts": {"max-size": "5m"}}');
    await apply([jsonKeys(path, OURS)]);
    const less = jsonKeys(path, { 'live-restore': true });
    expect(words(await takeBack([less]))).toEqual(['remove exec-opts', 'update log-opts.max-size "5m"']);
    expect(read()).toEqual({ 'log-opts': { 'max-size': '5m' }, 'live-restore': true });
    expect((await apply([less])).changes).toEqual([]);
  });

  it('a value that is changed twice gets back what was there before the first time', async () => {
    writeFileSync(path, '{"mtu": 1500}');
    for (const mtu of [1400, 1300]) await apply([jsonKeys(path, { mtu })]);
    await takeBack();
    expect(readFileSync(path, 'utf8')).toBe('{"mtu": 1500}');
  });

  it.each<[string, string, RegExp]>([
    ['a comma too many', '{\n  "debug": true,\n}\n', /daemon\.json is no JSON: line 3, column 1/],
    ['a text that ends early', '{"debug": tr', /is no JSON: line 1, column 1\d/],
    ['an array', '[]', /has no JSON object/],
  ])('%s is refused with its place, and left as it is', async (_, text, message) => {
    writeFileSync(path, text);
    await expect(apply([jsonKeys(path, OURS)])).rejects.toMatchObject({
      code: 'CONFIG_BROKEN',
      message: expect.stringMatching(message),
    });
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(await entries()).toEqual([]);
  });

  it('what its daemon writes later goes with it, and what was there before stays', async () => {
    mkdirSync(host.path('data'));
    writeFileSync(host.path('data/theirs'), 'x');
    const fills = { fills: [host.path('data'), host.path('socket')] };
    await apply([jsonKeys(path, OURS, fills)]);
    for (const name of ['data/ours', 'socket']) writeFileSync(host.path(name), 'y');
    expect(noLongerDesired(await entries(), [jsonKeys(path, OURS, fills)])).toEqual([]);
    await takeBack();
    for (const name of ['data/ours', 'socket']) expect(() => statSync(host.path(name))).toThrow(/ENOENT/);
    expect(readFileSync(host.path('data/theirs'), 'utf8')).toBe('x');
  });

  it('an empty file is an empty object, and empty again after a teardown', async () => {
    writeFileSync(path, '');
    await apply([jsonKeys(path, OURS)]);
    await takeBack();
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('a file that is broken at the teardown is kept, and reported', async () => {
    await apply([jsonKeys(path, { mtu: 1400 })]);
    writeFileSync(path, '{"mtu": 1400');
    expect(words(await takeBack())).toEqual(['keep the file is no JSON by now', 'keep it is no JSON by now']);
    expect(readFileSync(path, 'utf8')).toBe('{"mtu": 1400');
  });

  it('its digest is that of our members alone, so that others do not restart a unit', () => {
    const unit = service('docker', { restartOn: [path] });
    expect(unit.restartOn).toEqual([path]);
    expect(() => jsonKeys(path, { 'log-opts': {} })).toThrow(/empty object/);
  });

  it('whatever stands in a file, only our members change and come back', async () => {
    const key = fc.stringMatching(/^[a-z ",:{}[\]\\]{1,6}$/);
    const scalar = fc.oneof(fc.string({ maxLength: 8 }), fc.integer(), fc.boolean(), fc.constant(null));
    const value = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), fc.dictionary(key, scalar, { maxKeys: 3 }));
    const foreign = fc.dictionary(fc.oneof(key, fc.constantFrom('log-opts', 'live-restore')), value, { maxKeys: 5 });
    await fc.assert(
      fc.asyncProperty(foreign, fc.constantFrom(undefined, 2, '\t'), async (document, indent) => {
        const before = JSON.stringify(document, null, indent);
        writeFileSync(path, before);
        await apply([jsonKeys(path, OURS)]);
        expect(read()).toMatchObject(OURS);
        await takeBack();
        expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(JSON.parse(before));
      }),
      { numRuns: 6 },
    );
  }, 120_000);
});
