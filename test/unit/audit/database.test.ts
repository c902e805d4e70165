import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemText } from '../../../audit/problem.ts';
import { verifyDatabase } from '../../../audit/verify-database.ts';
import { CLUSTER, OPERATION, type Sample, sampleOperation } from './sample.ts';

let sample: Sample;
let raw: DatabaseSync;
const check = async () => {
  const fingerprints = [sample.signer.fingerprint];
  const verdict = await verifyDatabase(sample.store, join(sample.folder, 'spool'), { fingerprints });
  return verdict.problems.map(problemText);
};

beforeAll(async () => {
  sample = await sampleOperation();
  const chunks = async function* () {
    const { readFileSync } = await import('node:fs');
    yield readFileSync(await sample.bundle());
  };
  await sample.store.bundles.save(CLUSTER, OPERATION, chunks());
  raw = new DatabaseSync(join(sample.folder, 'kubewright.db'));
});
afterAll(async () => {
  raw.close();
  await sample.close();
});

type Row = Record<string, SQLInputValue>;
/** Each with the column by which a second row of the same is another row, and columns that say nothing of what happened. */
const TABLES: Record<string, { second: string; silent?: string[] }> = {
  journal: { second: 'id' },
  links: { second: 'pos' },
  chains: { second: 'id' },
  blobs: { second: 'sha256', silent: ['used_at'] },
  specs: { second: 'digest' },
  anchors: { second: 'n' },
  tokens: { second: 'id' },
  // Fields of status and traits without a column are shown, and prove nothing.
  operations: { second: 'id', silent: ['status', 'traits', 'updated_at'] },
  bundles: { second: 'operation' },
  bundle_pieces: { second: 'n' },
};

/** Does something to the tables, asks, and undoes it: each case begins with what was written. */
async function after(change: () => void): Promise<string[]> {
  const saved = Object.keys(TABLES).map(
    (table) => [table, raw.prepare(`select * from ${table}`).all() as Row[]] as const,
  );
  try {
    change();
    return await check();
  } finally {
    raw.exec('begin');
    for (const [table, rows] of saved) {
      raw.exec(`delete from ${table}`);
      for (const row of rows) insert(table, row);
    }
    raw.exec('commit');
  }
}

function insert(table: string, row: Row): void {
  const names = Object.keys(row);
  const marks = names.map(() => '?').join(', ');
  raw
    .prepare(`insert into ${table} (${names.map((name) => `"${name}"`).join(', ')}) values (${marks})`)
    .run(...Object.values(row));
}

const flipped = (value: SQLInputValue, at: number, mask: number): SQLInputValue => {
  if (value === null) return 'x';
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value) + mask;
  const bytes = Buffer.from(value as string);
  if (bytes.length === 0) return typeof value === 'string' ? 'x' : Buffer.from('x');
  // Texts stay texts: another printable character.
  const place = at % bytes.length;
  if (typeof value === 'string') {
    const other = bytes[place] === 0x61 ? 'b' : 'a';
    return value.slice(0, place) + other + value.slice(place + 1);
  }
  bytes[place]! ^= mask;
  return bytes;
};

describe('a database', () => {
  it('that is unchanged passes', async () => {
    expect(await verifyDatabase(sample.store, join(sample.folder, 'spool'))).toEqual({
      ...{ problems: [], chains: 3, links: 41, outputs: 10, specs: 1, bundles: 1, tokens: 1, operations: 1 },
      anchors: { count: 2, since: expect.any(String), before: 2, unsigned: 0, sink: null },
      ...{ signers: [sample.signer.fingerprint], signer: 'unknown' },
    });
  });

  it('names the record that was changed or dropped', async () => {
    const row = raw.prepare(`select id from journal where host = 'w-3' and seq = 2`).get() as { id: string };
    expect(
      (await after(() => raw.exec(`update journal set argv = '["step", "2"]' where id = '${row.id}'`)))[0],
    ).toContain(row.id);
    expect((await after(() => raw.exec(`delete from journal where id = '${row.id}'`)))[0]).toContain(row.id);
    const open = raw.prepare('select id from journal where ended_at is null').get() as { id: string };
    expect((await after(() => raw.exec(`update journal set exit_code = 0 where id = '${open.id}'`)))[0]).toContain(
      open.id,
    );
  });

  it('rewritten from some point on differs from its signed bundle', async () => {
    const problems = await after(() => {
      const last = raw.prepare('select max(pos) as pos from links').get() as { pos: number };
      raw.exec(`delete from journal where id = (select record from links where pos = ${last.pos})`);
      raw.exec(`delete from links where pos > ${last.pos - 2}`);
      raw.exec(`update chains set n = n - 2 where id = '*' or id like '%/op/%'`);
      raw.exec(`update chains set hash = (select hash from links where pos = ${last.pos - 2}) where id like '%/op/%'`);
    });
    expect(problems.join('\n')).toContain('the signed bundle has another one');
  });

  it('with any value changed, row dropped or doubled: always found, always named', async () => {
    const table = fc.constantFrom('journal', ...Object.keys(TABLES));
    const mutation = fc.record({
      table,
      row: fc.nat(),
      column: fc.nat(),
      at: fc.nat(),
      mask: fc.integer({ min: 1, max: 255 }),
      what: fc.constantFrom('flip', 'flip', 'flip', 'clear', 'drop', 'double', 'swap'),
    });
    await fc.assert(
      fc.asyncProperty(mutation, async ({ table: name, row, column, at, mask, what }) => {
        const rows = raw.prepare(`select rowid as kw_row, * from ${name}`).all() as Row[];
        const { kw_row: id, ...found } = rows[row % rows.length]!;
        const { second, silent = [] } = TABLES[name]!;
        const names = Object.keys(found).filter((each) => !silent.includes(each));
        const chosen = names[column % names.length]!;
        let skipped = false;
        const problems = await after(() => {
          try {
            if (what === 'drop') raw.prepare(`delete from ${name} where rowid = ?`).run(id!);
            else if (what === 'double') {
              insert(name, { ...found, [second]: flipped(found[second]!, at, mask) });
            } else if (what === 'clear') {
              if (found[chosen] === null) skipped = true;
              else raw.prepare(`update ${name} set "${chosen}" = null where rowid = ?`).run(id!);
            } else if (what === 'swap') {
              const other = rows[(row + 1) % rows.length]!;
              if (other['kw_row'] === id || other[chosen] === found[chosen]) skipped = true;
              else raw.prepare(`update ${name} set "${chosen}" = ? where rowid = ?`).run(other[chosen]!, id!);
            } else
              raw
                .prepare(`update ${name} set "${chosen}" = ? where rowid = ?`)
                .run(flipped(found[chosen]!, at, mask), id!);
          } catch (error) {
            // The database itself refuses a second row of one key.
            if (!/constraint failed/.test(String(error))) throw error;
            skipped = true;
          }
        });
        fc.pre(!skipped);
        expect(problems[0], JSON.stringify({ name, chosen, what })).toMatch(/^[^:]+: .+/);
      }),
      // Each case writes all tables anew and checks them: the 300 more are for CI.
      { numRuns: process.env['CI'] === 'true' ? 400 : 100 },
    );
  }, 300_000);
});
