import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../contracts/error-catalogue.ts';
import { SECRET_VARIABLES } from '../../store/secret-environment.ts';
import { root } from './source-files.ts';

/** What the processes, the CLI and the compose file are made of. Labs and tests have variables of their own. */
const READERS = [
  ...[
    'api',
    'worker',
    'store',
    'codec',
    'audit',
    'contracts',
    'telemetry',
    'cli/main.ts',
    'cli/commands',
    'cli/client',
    'cli/local',
  ],
  ...['docker-compose.yml', 'deploy'],
];

const textsUnder = (path: string): string[] =>
  statSync(join(root, path)).isFile()
    ? [readFileSync(join(root, path), 'utf8')]
    : readdirSync(join(root, path)).flatMap((name) => textsUnder(join(path, name)));

/** A constant, and variables that the compose file sets for the image of Temporal's UI. */
const NOT_READ = ['TEMPORAL_CLI_VERSION', 'TEMPORAL_DEFAULT_NAMESPACE', 'TEMPORAL_CODEC_ENDPOINT'];
/** Names of variables in a text. Codes of the error catalogue look alike. */
const variablesIn = (text: string): string[] =>
  [...text.matchAll(/\b(?:KUBEWRIGHT|TEMPORAL)_[A-Z0-9_]*[A-Z0-9]\b/g)]
    .map(([name]) => name.replace(/(?<!SINK|CONFIG)_FILE$/, ''))
    .filter((name) => !(name in ERRORS) && !NOT_READ.includes(name));

/** First cells of the table under "Configuration", with the whole row. */
function documented(): Map<string, string> {
  const [, section = ''] = readFileSync(join(root, 'docs/operations.md'), 'utf8').split('\n## Configuration\n');
  const rows = section.split('\n## ')[0]!.split('\n');
  return new Map(
    rows.flatMap((row) => {
      const [, cell = ''] = /^\| (`.*?) \|/.exec(row) ?? [];
      return variablesIn(cell).map((name) => [name, row] as const);
    }),
  );
}

describe('docs/operations.md, "Configuration"', () => {
  const read = new Set(READERS.flatMap(textsUnder).flatMap(variablesIn));

  it('has a row for every variable that something reads', () => {
    // The test is blind when it finds few: some of each kind.
    for (const name of ['KUBEWRIGHT_DATA', 'KUBEWRIGHT_LIMIT_STREAMS', 'TEMPORAL_ADDRESS', 'TEMPORAL_DB_PASSWORD']) {
      expect(read).toContain(name);
    }
    expect([...read].filter((name) => !documented().has(name))).toEqual([]);
  });

  it('has no row of ours that nothing reads', () => {
    const stale = [...documented().keys()].filter((name) => name.startsWith('KUBEWRIGHT_') && !read.has(name));
    expect(stale).toEqual([]);
  });

  it('marks what may come from a file', () => {
    const unmarked = SECRET_VARIABLES.filter((name) => !/\*file\*/i.test(documented().get(name) ?? ''));
    expect(unmarked).toEqual([]);
  });
});
