import { LIMITS } from '../../contracts/limits.ts';
import { cleanText, type Draft, type DraftHost } from './draft.ts';

/**
 * A rule for one variable: it writes what the value means into the draft. The result is why it does not map; undefined: it does.
 */
export type Rule<Target = Draft> = (value: unknown, target: Target) => string | undefined;
/** Rules by the name of their variable. Applied in this order. */
export type Rules<Target = Draft> = Readonly<Record<string, Rule<Target>>>;

/** A scalar as text; undefined for anything else, and for an empty text. */
export function asText(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value.trim() !== '' ? cleanText(value.trim()) : undefined;
}

/** A whole number, also as text. */
export function asInt(value: unknown): number | undefined {
  const text = asText(value);
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

const TRUE = new Set(['true', 'yes', 'on', '1']);
const FALSE = new Set(['false', 'no', 'off', '0']);

/** A truth value as Ansible reads it. */
export function asBool(value: unknown): boolean | undefined {
  const text = String(
    typeof value === 'boolean' || typeof value === 'string' || typeof value === 'number' ? value : '',
  );
  if (TRUE.has(text.toLowerCase())) return true;
  return FALSE.has(text.toLowerCase()) ? false : undefined;
}

/** Texts of a list, or of a text with commas. At most 100. */
export function asTexts(value: unknown): string[] | undefined {
  const list = typeof value === 'string' ? value.split(',') : value;
  if (!Array.isArray(list)) return undefined;
  return list
    .slice(0, 100)
    .map(asText)
    .filter((text) => text !== undefined);
}

/** A template of Jinja: what it becomes only Ansible knows. */
export const isTemplate = (value: unknown): boolean => typeof value === 'string' && /\{\{|\{%/.test(value);

/** The reasons that many rules share. */
export const REASONS = {
  unreadable: 'has another type than expected',
  template: 'is a template that only Ansible can evaluate',
  none: 'has no counterpart in a spec',
  sameAlways: 'is the same in every cluster of Kubewright',
  notNeeded: 'is not needed: nothing of Ansible runs on the hosts',
} as const;

/** The rule that never maps. */
export const no =
  (reason: string): Rule<unknown> =>
  () =>
    reason;

/** Maps when the value is what Kubewright does anyway; else `reason`. */
export const only =
  (accepted: readonly string[], reason: string): Rule<unknown> =>
  (value) =>
    accepted.includes(String(asText(value) ?? asBool(value)).toLowerCase()) ? undefined : reason;

/** A text at a place of the spec. */
export const text =
  (path: string): Rule =>
  (value, draft) => {
    const found = asText(value);
    if (found === undefined) return REASONS.unreadable;
    draft.set(path, found);
    return undefined;
  };

/** A whole number at a place of the spec. */
export const int =
  (path: string): Rule =>
  (value, draft) => {
    const found = asInt(value);
    if (found === undefined) return REASONS.unreadable;
    draft.set(path, found);
    return undefined;
  };

/** `true` and `false` at a place of the spec. */
export const bool =
  (path: string): Rule =>
  (value, draft) => {
    const found = asBool(value);
    if (found === undefined) return REASONS.unreadable;
    draft.set(path, found);
    return undefined;
  };

/** An optional phase: on where a build runs it anyway, off by `enabled: false`. */
export const phaseSwitch =
  (phase: string): Rule =>
  (value, draft) => {
    const found = asBool(value);
    if (found === undefined) return REASONS.unreadable;
    draft.set(`phases.${phase}.enabled`, found);
    return undefined;
  };

/** A list of texts at a place of the spec. */
export const texts =
  (path: string): Rule =>
  (value, draft) => {
    const found = asTexts(value);
    if (!found) return REASONS.unreadable;
    if (found.length > 0) draft.set(path, found);
    return undefined;
  };

/** One of several words, each with what it sets; other words have no counterpart. */
export const choice =
  (words: Readonly<Record<string, (draft: Draft) => void>>, otherwise: string): Rule =>
  (value, draft) => {
    const word = asText(value)?.toLowerCase();
    if (word === undefined || !Object.hasOwn(words, word)) return otherwise;
    words[word]!(draft);
    return undefined;
  };

/** An exact version; a leading `v` and what follows the numbers are no part of it. */
export const versionAt =
  (path: string): Rule =>
  (value, draft) => {
    const found = /^v?(\d{1,4}\.\d{1,4}\.\d{1,4})(\+\S*)?$/.exec(asText(value) ?? '')?.[1];
    if (found === undefined) return 'is no exact version such as 1.36.3';
    draft.set(path, found);
    return undefined;
  };

/** What the tool calls a pod network, and the phase that installs it; null: the one that runs where none is named. */
export const podNetwork = (phases: Readonly<Record<string, string | null>>): Rule =>
  phaseOf(
    phases,
    'no phase installs this pod network: choose one of docs/networks.md, or install it yourself with spec.phases.external-network: {}',
  );

/** The same of a container runtime. */
export const containerRuntime = (phases: Readonly<Record<string, string | null>>): Rule =>
  phaseOf(phases, 'no phase installs this container runtime (docs/runtimes.md)');

const phaseOf = (phases: Readonly<Record<string, string | null>>, otherwise: string): Rule =>
  choice(
    Object.fromEntries(
      Object.entries(phases).map(([word, phase]) => [
        word,
        (draft: Draft) => (phase === null ? undefined : draft.set(`phases.${phase}`, {})),
      ]),
    ),
    otherwise,
  );

/** Another rule that counts only where the draft has the phase already: to name a phase chooses it. */
export const ifPhase =
  (phase: string, rule: Rule): Rule =>
  (value, draft) =>
    draft.get(`phases.${phase}`) === undefined
      ? `counts with phase ${phase} only, which the inventory does not choose`
      : rule(value, draft);

/** `http://proxy:3128`. */
export const proxyAt =
  (path: string): Rule =>
  (value, draft) => {
    const found = asText(value);
    if (found === undefined) return undefined;
    draft.set(path, found);
    return undefined;
  };

/** `key=value` or `key: value` labels of a host. */
export const labels: Rule<DraftHost> = (value, host) => {
  const entries = labelEntries(value);
  if (!entries) return REASONS.unreadable;
  let refused = 0;
  for (const [key, each] of entries) {
    if (host.labels.size >= LIMITS.labelsPerHost) refused += 1;
    else host.labels.set(cleanText(key), each);
  }
  return refused === 0 ? undefined : `a host has at most ${LIMITS.labelsPerHost} labels; ${refused} are left out`;
};

function labelEntries(value: unknown): [string, string][] | undefined {
  if (typeof value === 'string')
    return value
      .split(',')
      .filter((part) => part.trim() !== '')
      .map((part) => {
        const [key = '', ...rest] = part.trim().split('=');
        return [key, cleanText(rest.join('='))];
      });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value).map(([key, each]) => [
    key,
    typeof each === 'boolean' ? String(each) : (asText(each) ?? ''),
  ]);
}

/** `key=value:effect` taints of a host. */
export const taints: Rule<DraftHost> = (value, host) => {
  const list = asTexts(value);
  if (!list) return REASONS.unreadable;
  for (const each of list) {
    const [, key = '', mark = '', effect = ''] = /^([^=:]*)(?:=([^:]*))?:(.*)$/.exec(each) ?? [];
    if (effect === '') return 'is no taint such as key=value:NoSchedule';
    if (host.taints.length >= LIMITS.taintsPerHost) return `a host has at most ${LIMITS.taintsPerHost} taints`;
    host.taints.push({ key, ...(mark === '' ? {} : { value: mark }), effect });
  }
  return undefined;
};

/** A name that a host may have: a DNS label. */
export function hostLabel(name: string): string {
  const isAddress = /^\d+(\.\d+){3}$/.test(name);
  const label = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LIMITS.dnsLabel - 4)
    .replace(/^-|-$/g, '');
  return isAddress ? `k8s-${label}` : label;
}
