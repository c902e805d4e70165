import type { Host } from '../../../contracts/host.ts';
import { desiredLabels, desiredTaints, type Taint } from '../../kube/node-taints.ts';

/** What we read of a node object. */
export interface NodeObject {
  metadata: {
    name: string;
    resourceVersion: string;
    labels?: Record<string, string> | undefined;
    annotations?: Record<string, string> | undefined;
  };
  spec: { taints?: Taint[] | undefined };
}

/** A merge patch of one node, and what it changes in words: what it sets, and what it takes away. */
export interface NodePatch {
  name: string;
  patch: object;
  sets: string[];
  removes: string[];
}

/** Remembers on the node which labels and taints are ours, so that those that left the spec are taken away again. */
const OURS = 'kubewright.dev/from-spec';

interface FromSpec {
  labels: string[];
  taints: string[];
}

const taintId = ({ key, effect }: Taint): string => `${key}:${effect}`;
const sameTaint = (a: Taint, b: Taint): boolean => taintId(a) === taintId(b) && (a.value ?? '') === (b.value ?? '');

/** Pure: what has to change so that the nodes carry the labels and taints of the spec, and nothing of an earlier one. */
export function nodePatches(hosts: readonly Host[], nodes: readonly NodeObject[]): NodePatch[] {
  return nodes.flatMap((node) => {
    const host = hosts.find((each) => each.name === node.metadata.name);
    const patch = host && patchOf(host, node);
    return patch ? [patch] : [];
  });
}

function patchOf(host: Host, node: NodeObject): NodePatch | null {
  const { name, resourceVersion, labels = {}, annotations = {} } = node.metadata;
  const before = readOurs(annotations[OURS]);
  const wantedLabels = desiredLabels(host);
  const wantedTaints = desiredTaints(host);
  const present = node.spec.taints ?? [];

  const changedLabels: Record<string, string | null> = {};
  for (const [key, value] of Object.entries(wantedLabels)) if (labels[key] !== value) changedLabels[key] = value;
  for (const key of before.labels) if (!(key in wantedLabels) && key in labels) changedLabels[key] = null;

  const foreign = present.filter(
    (taint) =>
      !before.taints.includes(taintId(taint)) && !wantedTaints.some((each) => taintId(each) === taintId(taint)),
  );
  const taintsDiffer =
    foreign.length + wantedTaints.length !== present.length ||
    wantedTaints.some((wanted) => !present.some((taint) => sameTaint(taint, wanted)));

  const ours = JSON.stringify({
    // A label that was there with its value before we wrote any is not ours.
    labels: Object.keys(wantedLabels)
      .filter((key) => before.labels.includes(key) || labels[key] !== wantedLabels[key])
      .sort(),
    taints: wantedTaints.map(taintId).sort(),
  } satisfies FromSpec);
  if (Object.keys(changedLabels).length === 0 && !taintsDiffer && annotations[OURS] === ours) return null;
  const sets = Object.entries(changedLabels).flatMap(([key, value]) => (value === null ? [] : [`${key}=${value}`]));
  const gone = present.map(taintId).filter((id) => before.taints.includes(id));
  const staleTaints = gone.filter((id) => !wantedTaints.some((each) => taintId(each) === id));
  const newTaints = wantedTaints.filter((wanted) => !present.some((taint) => sameTaint(taint, wanted)));
  return {
    name,
    sets: [...sets, ...newTaints.map((each) => `taint ${taintId(each)}`)],
    removes: [
      ...Object.keys(changedLabels).filter((key) => changedLabels[key] === null),
      ...staleTaints.map((id) => `taint ${id}`),
    ],
    patch: {
      metadata: {
        // Taints are replaced as a list: a change in between must make this patch fail.
        ...(taintsDiffer ? { resourceVersion } : {}),
        ...(Object.keys(changedLabels).length > 0 ? { labels: changedLabels } : {}),
        annotations: { [OURS]: ours },
      },
      ...(taintsDiffer ? { spec: { taints: [...foreign, ...wantedTaints] } } : {}),
    },
  };
}

function readOurs(annotation: string | undefined): FromSpec {
  try {
    const value = JSON.parse(annotation ?? '{}') as Partial<FromSpec>;
    return { labels: value.labels ?? [], taints: value.taints ?? [] };
  } catch {
    // It was edited by others: nothing in it is known to be ours.
    return { labels: [], taints: [] };
  }
}
