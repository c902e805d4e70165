import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expandHosts } from '../../../../api/imports/ansible/host-pattern.ts';
import { ansibleValue } from '../../../../api/imports/ansible/literal.ts';
import { MOST_UNMAPPED } from '../../../../api/imports/draft.ts';
import { KubewrightError } from '../../../../contracts/errors.ts';
import { fixture, imported, specOf } from './support.ts';

const CODES = ['SPEC_MALFORMED', 'DOCUMENT_TOO_COMPLEX', 'IMPORT_UNRECOGNIZED'];
const GROUPS = '[kube_control_plane]\na\n[etcd]\na\n';

describe.each<[string, string, RegExp]>([
  ['a section that is none', `${GROUPS}[all:things]\nx=1`, /^line 5: a section ends/],
  ['an open quote', `${GROUPS}[kube_node]\nb ansible_password='open`, /^line 6: a quote is not closed/],
  ['a word that is no variable', `${GROUPS}[kube_node]\nb hunter2`, /^line 6: behind the name/],
  ['a variable without a value', `${GROUPS}[all:vars]\nhunter2`, /^line 6/],
  ['a range that is none', `${GROUPS}[kube_node]\nb[x:1]`, /^line 6: a range of hosts/],
  ['a range that falls', `${GROUPS}[kube_node]\nb[3:1]`, /^line 6: a range of hosts/],
  ['a range of a million', `${GROUPS}[kube_node]\nb[1:1000000]`, /more than 1000 hosts/],
  ['ranges of a million', `${GROUPS}[kube_node]\nb[1:1000][1:1000]`, /more than 1000 hosts/],
  ['groups in a circle', `${GROUPS}[x:children]\ny\n[y:children]\nx`, /child of itself/],
  ['broken YAML in a later document', `${GROUPS}---\na: [1,\n`, /^line [567], column/],
  ['a list', '- a\n- b\n', /INI inventory or an object of YAML/],
  ['YAML without groups', 'a: 1\n', /no groups or objects/],
  ['a group that is a list', 'kube_node: { hosts: { a: null } }\netcd: { hosts: [a] }\n', /`hosts` must be an object/],
  ['an alias bomb', `x: &x [a, a]\n${Array.from({ length: 200 }, (_, i) => `y${i}: *x`).join('\n')}`, /aliases/],
  [
    'a host that is no object',
    'apiVersion: k0sctl.k0sproject.io/v1beta1\nkind: Cluster\nspec: { hosts: [1] }',
    /spec\.hosts\[0\]/,
  ],
  [
    'an unknown role',
    'apiVersion: k0sctl.k0sproject.io/v1beta1\nkind: Cluster\nspec: { hosts: [{ role: boss }] }',
    /role must be one of/,
  ],
])('%s', (_, text, message) => {
  it('is refused by name, without its values', async () => {
    const error = await imported(text).catch((reason: unknown) => reason);
    expect(KubewrightError.is(error)).toBe(true);
    expect(CODES).toContain((error as KubewrightError).code);
    expect((error as KubewrightError).message).toMatch(message);
    expect((error as KubewrightError).message).not.toContain('hunter2');
  });
});

it('a text of another format than the named one is refused', async () => {
  await expect(imported(fixture('kubespray.ini'), { format: 'k0sctl' })).rejects.toMatchObject({
    code: 'IMPORT_UNRECOGNIZED',
  });
});

it('names of properties of objects are names as any other', async () => {
  const text = [
    '[kube_control_plane]\nconstructor __proto__=1 toString=2\n__proto__',
    '[etcd]\nconstructor',
    '[__proto__]\nconstructor',
    "[all:vars]\n__proto__=x\nconstructor=y\nnode_labels={'__proto__': 'x'}\nkube_network_plugin=constructor",
  ].join('\n');
  const { spec } = specOf(await imported(text));
  expect(spec.hosts.map(({ name }: { name: string }) => name)).toEqual(['constructor', 'proto']);
  expect(Object.prototype).not.toHaveProperty('x');
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
});

it('bounds what it lists, and what a group gives to each of its hosts', async () => {
  const vars = Array.from({ length: 2000 }, (_, index) => `var_${index}=value`).join('\n');
  const { unmapped } = await imported(`${GROUPS}[all:vars]\n${vars}\nlong=${'x'.repeat(5000)}`);
  expect(unmapped).toHaveLength(MOST_UNMAPPED);
  expect(unmapped.at(-1)?.reason).toMatch(/1502 more/);
  const labels = Array.from({ length: 64 }, (_, index) => `'k${index}': '${'v'.repeat(200)}'`).join(', ');
  await expect(
    imported(`${GROUPS}[kube_node]\nn[1:900]\n[kube_node:vars]\nnode_labels={${labels}}`),
  ).rejects.toMatchObject({ code: 'DOCUMENT_TOO_COMPLEX' });
});

it('characters that act on a terminal, or turn the direction of writing, are escapes', async () => {
  const result = await imported(
    `${GROUPS}[all:vars]\nmotd=\u001b[31mred\u202e\nkube_version=\u202e1\ncluster_name=a\u001bb`,
  );
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  expect(JSON.stringify([result.spec, result.unmapped])).not.toMatch(/[\u001b\u202e]|\\u001b/);
});

const words = fc.constantFrom(
  '[',
  ']',
  ':',
  '=',
  '\n',
  ' ',
  '---\n',
  '[all:vars]\n',
  '[kube_node]\n',
  '[etcd:children]\n',
  'kube_control_plane',
  'a[1:3]',
  'hosts:',
  'all:\n  ',
  '{',
  '}',
  "'",
  '"',
  '\\',
  '#',
  '&a ',
  '*a',
  '!vault |',
  '__proto__',
  'node_labels=',
  'node_taints',
  "{'a': 'b'}",
  'ansible_host=1',
  'apiVersion: k0sctl.k0sproject.io/v1\n',
  'kind: Cluster\n',
  'spec:\n  hosts:\n  - role: worker\n',
  '\u0000',
  '\ud800',
  '{{ x }}',
  'x="{{ x }}"\n',
  'kube_version=1',
  'ansible_password=',
);

it('a text of any kind gives a spec, or an error of the catalogue', async () => {
  const texts = fc.oneof(
    fc.string({ maxLength: 200, unit: 'binary' }),
    fc.array(words, { maxLength: 40 }).map((list) => list.join('')),
    fc.array(words, { maxLength: 20 }).map((list) => `${GROUPS}${list.join('')}`),
    fc
      .tuple(fc.constantFrom('kubespray.ini', 'kubespray.yml', 'kubeasz.ini', 'k0sctl.yaml'), fc.nat(3000), words)
      .map(([name, at, word]) => {
        const text = fixture(name);
        return text.slice(0, at % text.length) + word + text.slice(at % text.length);
      }),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      try {
        const result = await imported(text);
        expect(result.unmapped.length).toBeLessThanOrEqual(MOST_UNMAPPED);
        specOf(result);
      } catch (error) {
        if (!KubewrightError.is(error)) throw error;
        expect(CODES).toContain(error.code);
      }
    }),
    { numRuns: 120 },
  );
}, 120_000);

it.each<[string, unknown]>([
  ["'x' # comment", 'x'],
  ['plain # comment', 'plain # comment'],
  ['True', true],
  ['true', 'true'],
  ['None', null],
  ['007', '007'],
  ['10.0.0.1', '10.0.0.1'],
  ['1.5', 1.5],
  ["['a', 2, {'b': [False]}]", ['a', 2, { b: [false] }]],
  ['{"a": }', '{"a": }'],
  ["'it\\'s'", "it's"],
  [`${'['.repeat(500)}`, '['.repeat(500)],
])('the value %s', (text, value) => expect(ansibleValue(text)).toEqual(value));

it.each<[string, string[]]>([
  ['node', ['node']],
  ['node[1:3]', ['node1', 'node2', 'node3']],
  ['n[08:12:2].x', ['n08.x', 'n10.x', 'n12.x']],
  ['r[a:b]-[1:2]', ['ra-1', 'ra-2', 'rb-1', 'rb-2']],
])('the range %s', (pattern, names) => expect(expandHosts(pattern)).toEqual(names));
