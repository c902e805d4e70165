import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadPhases } from '../../activities/phases/phase-loader.ts';
import { requirementParts } from '../../cli/dev/requirements-doc.ts';
import { root, sources } from './source-files.ts';

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
  'folder-links.ts': 'folders of options',
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

it('docs/phases.md has what each phase requires, in its part and in the picture', async () => {
  const page = readFileSync(join(root, 'docs/phases.md'), 'utf8');
  const phases = await loadPhases();
  expect(phases.filter((phase) => requirementParts(phase).length > 0).length).toBeGreaterThan(8);
  for (const phase of phases) {
    const [, part = ''] = page.split(`\n## ${phase.name}\n`);
    const box = page.split('\n').find((line) => line.startsWith(`  ${phase.name}["`)) ?? '';
    for (const { label, short, entries } of requirementParts(phase)) {
      expect(part.split('\n## ')[0]).toContain(`| ${label} | ${entries.join(', ')} |`);
      expect(box).toContain(short);
    }
  }
});
