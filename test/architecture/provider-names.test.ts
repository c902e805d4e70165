import { expect, it } from 'vitest';
import { sources } from './source-files.ts';

/**
 * What the providers of a capability are called is known in their own folders only: others read offers, requirements, and
 * what phases keep running. Another runtime or pod network touches no file that names ours.
 */
const NAMES = /flannel|calico|containerd|vxlan|optionsOf/i;

// Formats of other tools have the words of those tools.
const OWN =
  /^(activities\/phases\/((flannel|flannel-etcd|calico|docker|openvswitch|runtime)\/|calico-objects\.ts)|api\/imports\/formats\/)/;

/** Files that name one, each with the reason. The list only shrinks. */
const REASONS: Readonly<Record<string, string>> = {
  'activities/phases/preflight/checks/earlier-cluster.ts': 'programs, units and files of other clusters on the machine',
  'activities/phases/preflight/checks/network-overlap.ts': 'links of other clusters on the machine',
  'activities/phases/preflight/checks/folder-links.ts':
    'folders in which files are placed: not yet read from `folders` of phases',
  'activities/phases/preflight/checks/firewall.ts': 'chains of pod networks, which are no firewall',
  'activities/leftovers/scripts.ts': 'what other clusters leave behind, whatever we install',
  'activities/leftovers/tools.ts': 'who left it: their own names',
  'activities/leftovers/found.ts': 'who left it, in sentences',
  'activities/kube/paths.ts': 'the folder of our runtime: health reads the certificates in it, preflight its links',
  'activities/health/check-health.ts':
    'the certificates for the registry, and the file system of images, of our runtime',
  'activities/resources/leftover-script.ts': 'mounts of containers below a folder that is removed',
  'activities/host/command-line.ts': 'an example of a variable that reaches no command',
};

const read = sources().filter(({ path }) => /^(activities|api|store)\//.test(path) && !OWN.test(path));
const namedIn = (files: readonly { path: string; text: string }[]) =>
  files.filter(({ text }) => NAMES.test(text)).map(({ path }) => path);

it('no file outside the folders of flannel, Calico and runtime names them, but for the reasons that are listed', () => {
  expect(read.length).toBeGreaterThan(200);
  expect(namedIn(read).filter((path) => !Object.hasOwn(REASONS, path))).toEqual([]);
});

it('each listed file still names one', () => {
  const named = namedIn(read);
  expect(Object.keys(REASONS).filter((path) => !named.includes(path))).toEqual([]);
});

it('a name is seen', () => {
  expect(namedIn([{ path: 'activities/a.ts', text: "after: ['containerd.service']" }])).toEqual(['activities/a.ts']);
  expect(namedIn([{ path: 'activities/b.ts', text: 'after: [runtime.unit]' }])).toEqual([]);
});
