import { sha256 } from './digest.ts';
import { LEDGER } from './paths.ts';
import { type Resource, type ResourceKind, resourceKey } from './resource.ts';

export interface WitnessResource extends Resource {
  readonly kind: 'witness';
  readonly look: string;
}

interface WitnessState {
  noted: boolean;
  said: string;
}

/**
 * How something was before the first change of a phase: what `look` (sh, read-only, at most one second) says, kept in the
 * host's ledger. For what daemons change by themselves; a phase's teardown reads it with `run.witnessed`.
 */
export function witness(id: string, look: string): WitnessResource {
  return { kind: 'witness', id, look };
}

const NOTED = '--- noted';

export const witnessKind: ResourceKind<WitnessResource, WitnessState> = {
  kind: 'witness',
  probe: (resource, quote) =>
    `if cut -f 1 ${LEDGER} | grep -qxF -- ${quote(resourceKey(resource))}; then echo ${quote(NOTED)}; else\n${resource.look}\nfi`,
  parse: (output) => ({ noted: output.trim() === NOTED, said: output }),
  diff: (resource, { noted }) =>
    noted ? [] : [{ resource: resourceKey(resource), action: 'create', detail: 'noted how it was' }],
  // The note in the ledger is all there is to do.
  fragment: () => ({ script: '' }),
  trace: (_resource, observed) => (observed === null ? [] : [{ prior: { said: observed.said } }]),
  digest: ({ id }) => sha256(id),
};
