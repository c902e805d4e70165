import { expect, it } from 'vitest';
import { sources } from './source-files.ts';

/**
 * Phases prepare and preflight read what others require (activities/phases/requires.ts), so they name no other phase, no
 * program of one and no part of the kernel that only one needs.
 */
const NAMES =
  /flannel|vxlan|host-gw|\bip_?vs|kube-?proxy|chrony|containerd|metrics-?server|coredns|overlay|br_netfilter|nf_conntrack|PhaseOptions\(cluster, '(?!prepare'|preflight')/i;

/** Checks about other clusters on the machine, or about the options and the data of single phases. The list only shrinks. */
const ABOUT_OTHERS: Readonly<Record<string, string>> = {
  'earlier-cluster.ts': 'programs and files of other clusters',
  'network-overlap.ts': 'links of other clusters',
  'etcd-data.ts': "the data folder of etcd's options",
  'folder-links.ts': 'folders of options',
  'eviction.ts': "the folders and thresholds of the kubelet's options",
  'resolv-conf.ts': 'name servers of the options of nodes and dns',
};

const read = sources().filter(({ path }) => /^activities\/phases\/(preflight|prepare)\//.test(path));
const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);
const named = ({ text }: { text: string }) =>
  text.split('\n').flatMap((line, at) => (NAMES.test(line) ? [`${at + 1}: ${line.trim()}`] : []));

it('prepare and preflight name no other phase', () => {
  expect(read.length).toBeGreaterThan(30);
  const found = read
    .filter(({ path }) => !Object.hasOwn(ABOUT_OTHERS, nameOf(path)))
    .flatMap((file) => named(file).map((line) => `${file.path}:${line}`));
  expect(found).toEqual([]);
});

it('exceptions are still needed', () => {
  const needed = read.filter((file) => named(file).length > 0).map(({ path }) => nameOf(path));
  expect(Object.keys(ABOUT_OTHERS).filter((name) => !needed.includes(name))).toEqual([]);
});

it('a name is seen', () => {
  expect(named({ text: "const a = 1;\nconst port = phaseOptions(cluster, 'flannel');\n" })).toHaveLength(1);
  expect(named({ text: "rawPhaseOptions(cluster, 'nodes', host)" })).toHaveLength(1);
  expect(named({ text: "rawPhaseOptions(cluster, 'prepare', host)" })).toEqual([]);
});
