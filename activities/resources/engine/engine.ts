import type { Change } from '../../../contracts/operation.ts';
import { quote } from '../../host/quote.ts';
import type { HostFacts, RemoteHost } from '../../host/types.ts';
import { type Batch, type BatchPart, MAX_PAYLOAD_BYTES, MAX_SCRIPT_BYTES, runBatch } from '../batch.ts';
import { ledgerLine } from '../ledger.ts';
import { STAMP_DIR, STATE_DIR, verifiedStamp } from '../paths.ts';
import { type ApplyContext, type Fragment, type Resource, resourceKey } from '../resource.ts';
import { type Difference, desiredDigest, diff, resolver } from './diff.ts';
import { labelled } from './labels.ts';
import { type Observations, probe } from './probe.ts';
import { kindOf } from './resource-kinds.ts';
import {
  APPLY_RETRIES,
  type AskAgain,
  askUntilKnown,
  askWhile,
  CHECK_RETRIES,
  isUnknown,
  type RetryTimes,
} from './retry-unknown.ts';

/** What `converge` did, or in mode `check` would have done. */
export interface Convergence {
  changes: Change[];
  /** Units (re)started or reloaded, or that would be. */
  restarts: string[];
  /** The host's stamp says that just this desired state was verified, before this run. */
  verified: boolean;
  /** Digest of the desired state: hand it to `markVerified` once the phase verified it. */
  desiredDigest: string;
}

export interface ConvergeOptions {
  remote: RemoteHost;
  resources: readonly Resource[];
  facts: HostFacts;
  mode: 'apply' | 'check';
  phase: string;
  /** Whatever else the phase's verification depends on, as one text. */
  identity?: string;
  onStep?: (step: string) => void;
  signal: AbortSignal;
  /** See ApplyContext. Absent: no resource asks a control plane. */
  controlPlane?: (() => Promise<RemoteHost>) | undefined;
  /** How long what is unknown is asked for again. */
  retries?: RetryTimes;
}

/**
 * Make the host as the resources say: probe, diff, apply what differs in order. No difference: no command but the
 * probe. A resource whose state is unknown is asked for again when its turn has come, for the changes before it may be
 * what lets it answer (a control plane starts its API server before it asks for objects in it); it is never taken for
 * absent. Mode `check` stops after the diff, and reports what stays unknown as such. Safe to interrupt anywhere: stamps of what depends on a change are removed
 * before it is made, so a lost restart or verification is made up for in the next run.
 */
export async function converge(options: ConvergeOptions): Promise<Convergence> {
  const { remote, resources, facts, mode, phase, signal, onStep = () => {} } = options;
  const { controlPlane = noControlPlane, retries = mode === 'check' ? CHECK_RETRIES : APPLY_RETRIES } = options;
  onStep('probe');
  let observations = await probe(remote, resources, { phase });
  const digest = desiredDigest(resources, phase, options.identity ?? '');
  const outcome: Convergence = {
    changes: [],
    restarts: [],
    verified: observations.verified !== '' && observations.verified === digest,
    desiredDigest: digest,
  };
  const ask = (from: number): AskAgain => ({
    remote,
    resources: resources.slice(from),
    phase,
    retries,
    signal,
    onStep,
  });
  if (mode === 'check') observations = await askWhile(ask(0), observations);

  let changed: ReadonlySet<string> = new Set();
  for (let from = 0; ; ) {
    const unknown = resources.findIndex((resource, at) => at >= from && isUnknown(observations, resource));
    const to = mode === 'check' || unknown < 0 ? resources.length : unknown;
    const difference = diff(resources, observations, facts, { from, to, changed });
    outcome.changes.push(...difference.changes);
    outcome.restarts.push(
      ...difference.changes.filter(({ action }) => action === 'restart' || action === 'start').map(unitOf),
    );
    if (mode === 'apply' && difference.changes.length > 0) {
      await applyAll({ remote, controlPlane, resources, phase, observations, difference, signal, onStep });
    }
    if (to === resources.length) return outcome;
    changed = difference.context.changed;
    from = to;
    observations = await askUntilKnown(ask(from), observations);
  }
}

/** Remember on the host that this desired state was verified. */
export async function markVerified(remote: RemoteHost, phase: string, digest: string): Promise<void> {
  await remote.script(
    'mkdir -p -m 0700 -- "$1"\nmkdir -p -m 0700 -- "$2"\nprintf \'%s\\n\' "$4" >"$3.new"\nmv -f -T -- "$3.new" "$3"\n',
    [STATE_DIR, STAMP_DIR, verifiedStamp(phase), digest],
  );
}

const unitOf = (change: Change): string => change.resource.slice(change.resource.indexOf(':') + 1);

const noControlPlane = (): Promise<RemoteHost> =>
  Promise.reject(new Error('a resource asks a control plane where there is no way to one'));

interface Run {
  remote: RemoteHost;
  controlPlane: () => Promise<RemoteHost>;
  resources: readonly Resource[];
  phase: string;
  observations: Observations;
  difference: Difference;
  signal: AbortSignal;
  onStep: (step: string) => void;
}

async function applyAll(run: Run): Promise<void> {
  const { remote, controlPlane, difference, observations, signal, onStep } = run;
  const context: ApplyContext = { ...difference.context, host: remote, controlPlane, phase: run.phase, signal, onStep };
  const queue = new BatchQueue(run);
  queue.add({ key: 'stamps', fragment: invalidateStamps(run) }, []);
  for (const resource of run.resources) {
    const key = resourceKey(resource);
    if (!difference.perResource.has(key)) continue;
    const kind = kindOf(resource);
    const answer = observations.byResource.get(key);
    if (!answer?.known) throw new Error(`${key} is to be changed and its state is unknown`);
    const observed = answer.state;
    const ledgerLines = (kind.ledgerEntries?.(resource, observed) ?? []).map((entry) =>
      ledgerLine(resource, run.phase, entry),
    );
    if (kind.fragment) {
      const payloads: Uint8Array[] = [];
      const payload = (content: string | Uint8Array): number =>
        queue.reserve(payloads, typeof content === 'string' ? Buffer.from(content) : content);
      const made = kind.fragment(resource, observed, { ...difference.context, quote, payload });
      const fragment = labelled(made, kind, resource, difference.context.facts);
      await queue.flushIfFull(fragment, payloads);
      queue.add({ key, fragment }, payloads, { secrets: kind.secrets?.(resource), ledgerLines: ledgerLines.join('') });
    } else if (kind.apply) {
      if (ledgerLines.length > 0)
        queue.add({ key, fragment: { script: '' } }, [], { ledgerLines: ledgerLines.join('') });
      await queue.flush();
      onStep(`apply ${key}`);
      const host = changing(remote, difference.perResource.get(key)!);
      await kind.apply(resource, observed, { ...context, host });
    } else {
      throw new Error(`resource kind ${kind.kind} can neither be joined nor applied`);
    }
    signal.throwIfAborted();
  }
  await queue.flush();
}

/** The same host, whose commands say in the journal what they change. */
function changing(remote: RemoteHost, changes: readonly Change[]): RemoteHost {
  return {
    name: remote.name,
    exec: (argv, options) => remote.exec(argv, { ...options, changes }),
    script: (text, args, options) => remote.script(text, args, { ...options, changes }),
    upload: (path, content, options) => remote.upload(path, content, { ...options, changes }),
  };
}

/** Stamps of units that this run may have to restart, and of the phase: gone before the first change is made. */
function invalidateStamps(run: Run): Fragment {
  const find = resolver(run.resources);
  const stamps = [verifiedStamp(run.phase)];
  for (const resource of run.resources) {
    const restart = kindOf(resource).restartsOn?.(resource);
    const named = restart ? [resource, ...restart.references.flatMap((reference) => find(reference))] : [];
    if (restart && named.some((each) => run.difference.perResource.has(resourceKey(each)))) stamps.push(restart.stamp);
  }
  return { script: `rm -f -- ${stamps.map(quote).join(' ')}` };
}

/** Collects neighbouring fragments of one lane and sends them in one round trip. */
class BatchQueue {
  readonly #run: Run;
  #parts: BatchPart[] = [];
  #payloads = new Map<number, Uint8Array>();
  #secrets: string[] = [];
  #ledgerLines = '';
  #next = 0;

  constructor(run: Run) {
    this.#run = run;
  }

  /** A number for a content; it joins the batch with its fragment. */
  reserve(payloads: Uint8Array[], content: Uint8Array): number {
    payloads.push(content);
    return this.#next + payloads.length - 1;
  }

  /** Send what waits when the fragment does not fit in with it. */
  async flushIfFull(fragment: Fragment, payloads: readonly Uint8Array[]): Promise<void> {
    const lane = this.#parts[0]?.fragment.lane ?? 'quick';
    const size = (list: Iterable<Uint8Array>): number => [...list].reduce((total, each) => total + each.length, 0);
    const script = this.#parts.reduce((total, part) => total + part.fragment.script.length + part.key.length, 0);
    const fits =
      lane === (fragment.lane ?? 'quick') &&
      script + fragment.script.length <= MAX_SCRIPT_BYTES &&
      size(this.#payloads.values()) + size(payloads) <= MAX_PAYLOAD_BYTES;
    if (!fits) await this.flush();
  }

  add(
    part: BatchPart,
    payloads: readonly Uint8Array[],
    { secrets = [], ledgerLines = '' }: { secrets?: readonly string[] | undefined; ledgerLines?: string } = {},
  ): void {
    this.#parts.push(part);
    for (const content of payloads) this.#payloads.set(this.#next++, content);
    this.#secrets.push(...secrets);
    this.#ledgerLines += ledgerLines;
  }

  async flush(): Promise<void> {
    const [first] = this.#parts;
    if (!first) return;
    const batch: Batch = {
      lane: first.fragment.lane ?? 'quick',
      parts: this.#parts,
      payloads: this.#payloads,
      ledgerLines: this.#ledgerLines,
      changes: this.#parts.flatMap(({ key }) => this.#run.difference.perResource.get(key) ?? []),
    };
    const rest = this.#parts.length - 1;
    const named = this.#parts.find(({ key }) => key !== 'stamps') ?? first;
    this.#run.onStep(`apply ${named.key}${rest > 0 ? ` (+${rest})` : ''}`);
    const secrets = this.#secrets;
    this.#parts = [];
    this.#payloads = new Map();
    this.#secrets = [];
    this.#ledgerLines = '';
    await runBatch(this.#run.remote, batch, secrets);
    this.#run.signal.throwIfAborted();
  }
}
