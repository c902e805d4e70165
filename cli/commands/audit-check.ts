import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAnchorMemory } from '../../audit/anchor-memory.ts';
import { openAudited } from '../../audit/audited-store.ts';
import { shown } from '../../audit/problem.ts';
import { knownFingerprint } from '../../audit/signing-key.ts';
import { keysForTemporal, temporalReader } from '../../audit/temporal-reader.ts';
import { type DatabaseVerdict, verifyDatabase } from '../../audit/verify-database.ts';
import { type TemporalVerdict, verifyTemporal } from '../../audit/verify-temporal.ts';
import { printableJson } from '../../contracts/printable.ts';
import type { Store } from '../../store/index.ts';
import { defineCommand, examples } from '../command.ts';
import { EXIT, EXIT_CODES, fingerprintArgument, print, printProblems } from '../local/exit-codes.ts';
import { fingerprintOfFile } from './audit-verify.ts';

interface Options {
  data: string;
  url?: string;
  key: string[];
  fingerprint: string[];
  anchors?: string;
  temporal?: string;
  namespace?: string;
  json?: true;
}

const several = (value: string, before: string[]): string[] => [...before, value];

/** `kubewright audit check`: the same for a whole database. Exits 1 and names the first bad record. Writes nothing. */
export default defineCommand('audit check', (command) => {
  return command
    .description('check a whole database: chains, signed anchors, records, outputs, bundles, and all copies of data')
    .option('--data <folder>', 'data directory', process.env['KUBEWRIGHT_DATA'] ?? './.kubewright')
    .option('--url <url>', 'postgres://..., default KUBEWRIGHT_DATABASE_URL')
    .option('--key <file>', 'an accepted public key (PEM); default: the audit.key of --data', several, [])
    .option('--fingerprint <text>', 'the fingerprint (SHA256:...) of an accepted key', several, [])
    .option('--anchors <file>', 'file with the anchors of an external sink')
    .option('--temporal <address>', 'address (host:port) of Temporal, to compare its histories too')
    .option('--namespace <name>', 'namespace of Temporal', process.env['TEMPORAL_NAMESPACE'])
    .option('--json', 'the verdict as JSON')
    .addHelpText('after', EXIT_CODES)
    .addHelpText('after', examples('kubewright audit check'))
    .action(async (options: Options) => {
      const { data, anchors: sink, json } = options;
      const url = options.url ?? process.env['KUBEWRIGHT_DATABASE_URL'];
      const fingerprints = keysOf(options);
      const spool = mkdtempSync(join(tmpdir(), 'kubewright-check-'));
      try {
        const keyring = options.temporal === undefined ? undefined : keysForTemporal(data);
        const store = await openAudited(data, url, keyring);
        try {
          const remembered = readAnchorMemory(data);
          const database = await verifyDatabase(store, spool, { fingerprints, sink, remembered });
          const temporal = await compareTemporal(store, options);
          const problems = [...database.problems, ...(temporal?.problems ?? [])];
          const verdict = { ...database, problems, ...(temporal ? { temporal } : {}) };
          if (json) print(printableJson(JSON.stringify(verdict)));
          else if (verdict.problems.length > 0) printProblems(verdict.problems);
          else printAll(verdict);
          if (temporal && json === undefined) printTemporal(temporal);
          process.exitCode =
            verdict.problems.length > 0
              ? EXIT.changed
              : verdict.signer === 'unknown'
                ? EXIT.signerUnknown
                : EXIT.unchanged;
        } finally {
          await store.close();
        }
      } finally {
        rmSync(spool, { recursive: true, force: true });
      }
    });
});

async function compareTemporal(store: Store, { temporal, namespace }: Options): Promise<TemporalVerdict | null> {
  if (temporal === undefined) return null;
  const reader = await temporalReader(store, temporal, namespace);
  try {
    return await verifyTemporal(store, reader);
  } finally {
    await reader.close();
  }
}

/** Fingerprints of the keys that may have signed: those that were given, else the one of this installation. */
function keysOf({ data, key, fingerprint }: Options): string[] {
  const given = [...key.map(fingerprintOfFile), ...fingerprint.map(fingerprintArgument)];
  if (given.length > 0) return given;
  const own = knownFingerprint(data, process.env['KUBEWRIGHT_AUDIT_KEY']);
  return own === undefined ? [] : [own];
}

/** Also beside problems: what was not compared may be wrong as well. */
function printTemporal({ compared, anchors, deleted, running, skipped }: TemporalVerdict): void {
  print(`  Temporal: ${compared} operations compared, ${anchors} results of tasks anchored`);
  if (deleted > 0) print(`  not compared: ${deleted} operations that Temporal no longer has`);
  if (running > 0) print(`  not compared: ${running} operations that still run: ${shown(skipped.join(', '))}`);
}

function printAll(verdict: DatabaseVerdict): void {
  const { chains, links, outputs, specs, bundles, tokens, operations, anchors, signer, signers } = verdict;
  const found = `${links} links in ${chains} chains, ${outputs} outputs, ${specs} specs, ${bundles} bundles`;
  print(`${signer === 'unknown' ? 'internally consistent, signer unknown' : 'unchanged'}: ${found}`);
  print(`  ${tokens} tokens and ${operations} operations match the journal`);
  if (anchors.count === 0)
    print('  only bundles are signed: the database has no anchors yet, and the service signs them while it runs');
  else {
    print(`  ${anchors.count} signed anchors since ${anchors.since ?? 'an unknown time'}`);
    if (anchors.before > 0) {
      print(
        `  unsigned history: ${anchors.before} links are older than the first anchor, which covers them as they were at its time`,
      );
    }
    if (anchors.unsigned > 0) print(`  ${anchors.unsigned} links are newer than the last anchor`);
  }
  if (anchors.sink !== null) print(`  ${anchors.sink} anchors of the sink match the database`);
  if (signers.length > 0) print(`  signed by ${signers.join(', ')}`);
  if (signer === 'unknown') print('  give the key of the installation: --key FILE or --fingerprint SHA256:...');
}
