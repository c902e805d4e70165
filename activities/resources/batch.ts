import { randomBytes } from 'node:crypto';
import { keepEnd } from '../../contracts/cut.ts';
import { isErrorCode, KubewrightError } from '../../contracts/errors.ts';
import { LIMITS } from '../../contracts/limits.ts';
import type { Change } from '../../contracts/operation.ts';
import { quote } from '../host/quote.ts';
import type { RemoteHost } from '../host/types.ts';
import { batchPrelude, LEDGER_LINES } from './batch-script.ts';
import type { Fragment, UnitActions } from './resource.ts';
import { makeTar } from './tar.ts';
import { unitsScript } from './units-script.ts';

/** A fragment and whose it is. */
export interface BatchPart {
  /** `kind:id`, or words of our own. */
  readonly key: string;
  readonly fragment: Fragment;
}

export interface Batch {
  readonly lane: 'quick' | 'transfer';
  readonly parts: readonly BatchPart[];
  /** What `put` takes, by number: positions are those that `Fragment` builders were given. */
  readonly payloads: ReadonlyMap<number, Uint8Array>;
  /** For the host's ledger, before anything else: lines of `ledgerLine`. */
  readonly ledgerLines: string;
  /** What it changes, for the journal. */
  readonly changes?: readonly Change[] | undefined;
}

/** One argument of a process may hold 128 KiB on Linux, quoted twice on its way: batches end well below it. */
export const MAX_SCRIPT_BYTES = 40 * 1024;
/** Contents of one batch; they wait in the host's memory. */
export const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;

const DEFAULT_TIMEOUT_MS = 10_000;
const MIN_BATCH_TIMEOUT_MS = 60_000;

/** The script of a batch. Pure; the nonce marks our own messages in its output. */
export function batchScript(batch: Batch, nonce: string): string {
  const prelude = batchPrelude(nonce, {
    payloads: batch.payloads.size > 0 || batch.ledgerLines !== '',
    ledgerLines: batch.ledgerLines !== '',
    transfers: batch.lane === 'transfer',
    relabels: batch.parts.some(({ fragment }) => fragment.script.includes('kw_relabel ')),
    pushes: batch.parts.some(({ fragment }) => fragment.script.includes('push_image ')),
  });
  return `${prelude}\n${batch.lane === 'transfer' ? sideBySide(batch.parts) : inOrder(batch.parts)}\n`;
}

function inOrder(parts: readonly BatchPart[]): string {
  const lines: string[] = [];
  let waiting: UnitActions[] = [];
  const flush = (): void => {
    if (waiting.length === 0) return;
    lines.push(`kw_step ${quote(`service:${waiting.map(({ unit }) => unit).join(' ')}`)}`, unitsScript(waiting));
    waiting = [];
  };
  for (const { key, fragment } of parts) {
    if (!fragment.units) flush();
    if (fragment.script !== '') lines.push(`kw_step ${quote(key)}`, fragment.script);
    if (fragment.units) waiting.push(fragment.units);
  }
  flush();
  return lines.join('\n');
}

/** Every transfer ends before the first failure is thrown: completed ones are kept. */
function sideBySide(parts: readonly BatchPart[]): string {
  const lines = ['kw_bad=0'];
  parts.forEach(({ key, fragment }, index) => {
    lines.push(
      `(\nkw_step ${quote(key)}\n${fragment.script}\n) >"$KW_TMP/out.${index}" 2>"$KW_TMP/err.${index}" &`,
      `kw_p${index}=$!`,
    );
  });
  parts.forEach(({ key }, index) => {
    lines.push(
      `kw_rc=0; wait "$kw_p${index}" || kw_rc=$?; cat "$KW_TMP/out.${index}"; cat "$KW_TMP/err.${index}" >&2`,
      `[ "$kw_rc" = 0 ] || { kw_bad=1; printf '%s failed %s\\n' "$KW_N" ${quote(key)}; }`,
    );
  });
  lines.push('exit "$kw_bad"');
  return lines.join('\n');
}

/**
 * Run a batch in one round trip. Throws the catalogue error that a fragment named, DISK_FULL when the host says so, else
 * COMMAND_FAILED with the name of the resource and the last lines of standard error.
 */
export async function runBatch(host: RemoteHost, batch: Batch, secrets: readonly string[]): Promise<void> {
  const nonce = `kw-${randomBytes(12).toString('hex')}`;
  const timeouts = batch.parts.map(({ fragment }) => fragment.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const timeoutMs =
    batch.lane === 'transfer' ? Math.max(...timeouts) : timeouts.reduce((total, each) => total + each, 0);
  const contents = [...batch.payloads].map(([number, content]) => ({ name: String(number), content }));
  if (batch.ledgerLines !== '') contents.push({ name: LEDGER_LINES, content: Buffer.from(batch.ledgerLines) });
  const { code, stdout, stderr } = await host.exec(['sh', '-c', batchScript(batch, nonce), 'kubewright'], {
    ...(contents.length > 0 ? { stdin: makeTar(contents) } : {}),
    okCodes: 'any',
    timeoutMs: Math.max(timeoutMs, MIN_BATCH_TIMEOUT_MS),
    secrets,
    changes: batch.changes,
  });
  if (code !== 0) throw await batchError(host, { nonce, code, stdout, stderr });
}

async function batchError(
  host: RemoteHost,
  result: { nonce: string; code: number; stdout: string; stderr: string },
): Promise<KubewrightError> {
  let step = '';
  let named: { code: string; message: string; step: string; evidence: string[] } | null = null;
  let open = false;
  for (const line of result.stdout.split('\n')) {
    const [prefix, verb = '', first = '', ...rest] = line.split(' ');
    if (prefix !== result.nonce) {
      if (open) named?.evidence.push(line);
      continue;
    }
    open = false;
    if (verb === 'step') step = [first, ...rest].join(' ');
    if (verb === 'failed' && named === null) step = [first, ...rest].join(' ');
    if (verb === 'failed') break;
    if (verb === 'error' && named === null) {
      named = { code: first, message: rest.join(' '), step, evidence: [] };
      open = true;
    }
  }
  const words = result.stderr.trim();
  if (named !== null && isErrorCode(named.code)) {
    const evidence = [...named.evidence, words].join('\n').trim();
    return new KubewrightError(named.code, named.message, { host: host.name, evidence: tail(evidence) });
  }
  const where = step === '' ? 'a batch of changes' : step;
  if (/No space left on device/.test(words)) {
    const { stdout } = await host.exec(['df', '-h'], { okCodes: 'any', timeoutMs: 10_000 });
    return new KubewrightError('DISK_FULL', `no space left while applying ${where}`, {
      host: host.name,
      evidence: tail(`${keepEnd(words, 500)}\n${stdout}`),
    });
  }
  return new KubewrightError('COMMAND_FAILED', `${where} could not be applied (exit code ${result.code})`, {
    host: host.name,
    evidence: tail(words),
  });
}

const tail = (text: string): string => keepEnd(text, LIMITS.evidenceChars);
