import { expect, it } from 'vitest';
import { scanCatalogue } from '../../activities/phases/catalogue.ts';
import { sources } from './source-files.ts';

/**
 * What downloads, preloads and mirrors files and images reads what phases declare, so it names none of them: adding one touches
 * its phase's folder only.
 */

const { artifacts, images } = await scanCatalogue();
// As a word of its own or in the name of a unit; the folder and the program of `registry` have its name too.
const names = [...artifacts, ...images].map(({ name }) => name).filter((name) => name !== 'registry');
const NAMED = new RegExp(`['"\`](?:image/)?(?:${names.join('|')})['"\`]`);
const READERS =
  /^(lab\/mirror\/|activities\/artifacts\/|activities\/phases\/(binaries|catalogue|requires)\.ts$|activities\/phases\/registry\/)/;

const named = ({ text }: { text: string }) =>
  text
    .split('\n')
    .flatMap((line, at) => (!/^\s*(\/?\*|\/\/)/.test(line) && NAMED.test(line) ? [`${at + 1}: ${line.trim()}`] : []));

it('readers of the catalogue name no artifact and no image', () => {
  const readers = sources().filter(({ path }) => READERS.test(path));
  expect(readers.length).toBeGreaterThan(25);
  expect(readers.flatMap((file) => named(file).map((line) => `${file.path}:${line}`))).toEqual([]);
});

it('master and what phases share about RBAC name no phase that has objects of its own', () => {
  const files = sources().filter(({ path }) =>
    /^activities\/(phases\/master\/|kube\/(rbac|identities)\.ts)/.test(path),
  );
  expect(files.filter(({ text }) => /flannel/i.test(text)).map(({ path }) => path)).toEqual([]);
});

it('a name is seen', () => {
  expect(names.length).toBeGreaterThan(15);
  expect(named({ text: "one('containerd', 'kubernetes')\n// 'etcd'\nconst a = 'image/coredns';" })).toHaveLength(2);
});
