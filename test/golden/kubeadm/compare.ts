import type { Rendering } from '../../../cli/dev/kubeadm/rendering.ts';

/** One thing that the two do not have alike; null: it is not there. */
export interface Difference {
  /** `kube-apiserver --anonymous-auth`, `kubelet seccompDefault`, `object ClusterRole x`. */
  id: string;
  kubeadm: string | null;
  ours: string | null;
}

const ABSENT = null;

/** Both are files: each has its own places for them. */
const bothFiles = (a: string, b: string): boolean => a.startsWith('/') && b.startsWith('/');

function ofTables(
  name: (key: string) => string,
  kubeadm: Readonly<Record<string, string>>,
  ours: Readonly<Record<string, string>>,
): Difference[] {
  return [...new Set([...Object.keys(kubeadm), ...Object.keys(ours)])].sort().flatMap((key) => {
    const [theirs, own] = [kubeadm[key] ?? ABSENT, ours[key] ?? ABSENT];
    const same = theirs === own || (theirs !== null && own !== null && bothFiles(theirs, own));
    return same ? [] : [{ id: name(key), kubeadm: theirs, ours: own }];
  });
}

const ofLists = (name: (word: string) => string, kubeadm: readonly string[], ours: readonly string[]): Difference[] =>
  ofTables(
    name,
    ...([kubeadm, ours].map((list) => Object.fromEntries(list.map((word) => [word, 'yes']))) as [
      Record<string, string>,
      Record<string, string>,
    ]),
  );

/** Everything that differs, in the order of the rendering. Pure. */
export function differences(kubeadm: Rendering, ours: Rendering): Difference[] {
  return [
    ...Object.keys(kubeadm.flags).flatMap((name) =>
      ofTables((flag) => `${name} --${flag}`, kubeadm.flags[name]!, ours.flags[name] ?? {}),
    ),
    ...Object.keys(kubeadm.config).flatMap((name) =>
      ofTables((key) => `${name} ${key}`, kubeadm.config[name]!, ours.config[name] ?? {}),
    ),
    ...ofLists((line) => `Corefile ${line}`, kubeadm.corefile, ours.corefile),
    ...ofTables((key) => `Service kube-dns ${key}`, kubeadm.dnsService, ours.dnsService),
    ...ofLists((label) => `node label ${label}`, kubeadm.node.labels, ours.node.labels),
    ...ofLists((taint) => `node taint ${taint}`, kubeadm.node.taints, ours.node.taints),
    ...ofLists((object) => `object ${object}`, kubeadm.objects, ours.objects),
  ];
}
