import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { definePhase } from '../../../activities/phases/phase.ts';
import { phaseValidator } from '../../../api/validate-phases.ts';
import { DOCUMENT_BOUNDS, DocumentCount } from '../../../contracts/document-bounds.ts';
import { KubewrightError } from '../../../contracts/errors.ts';
import { scanJson } from '../../../contracts/json-document.ts';
import { nearest } from '../../../contracts/nearest.ts';
import { parseClusterSpec } from '../../../contracts/spec-parse.ts';

type Json = Record<string, unknown>;

const host = (more: Json = {}): Json => ({
  name: 'cp-1',
  address: '10.0.0.1',
  roles: ['control-plane', 'etcd', 'worker'],
  ...more,
});
const spec = (more: Json = {}, hosts: unknown = [host()]): Json => ({
  apiVersion: 'kubewright.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name: 'demo' },
  spec: { hosts, ssh: { credential: { name: 'lab' } }, ...more },
});

const phases = [
  definePhase({
    name: 'flannel',
    title: 'Pod network',
    hosts: 'nodes',
    needs: [],
    timeouts: { applyMs: 1000, verifyMs: 1000 },
    expectedMs: 100,
    options: z.strictObject({
      backend: z.enum(['vxlan', 'host-gw']).default('vxlan'),
      mtu: z.int().max(9000).optional(),
    }),
  }),
];

/** The field errors of a document that must be refused. */
function refused(document: unknown, type = 'application/json'): { code: string; message: string; errors: string[] } {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  try {
    parseClusterSpec(text, type, phaseValidator(phases));
  } catch (error) {
    if (!KubewrightError.is(error)) throw error;
    return {
      code: error.code,
      message: error.message,
      errors: (error.errors ?? []).map(({ path, message }) => `${path}: ${message}`),
    };
  }
  throw new Error('was accepted');
}

describe('a spec', () => {
  it('is the same as JSON and as YAML, with defaults filled in', () => {
    const document = spec();
    const json = parseClusterSpec(JSON.stringify(document), 'application/json; charset=utf-8');
    expect(parseClusterSpec(stringify(document), 'application/yaml')).toEqual(json);
    expect(json.spec.kubernetes.version).toBe('1.36.3');
  });

  it('may use an anchor or two', () => {
    const text = `${stringify(spec({}, []).apiVersion && { apiVersion: 'kubewright.dev/v1alpha1', kind: 'Cluster', metadata: { name: 'demo' } })}spec:
  ssh: {credential: {name: lab}}
  hosts:
    - {name: a, address: 10.0.0.1, roles: &roles [control-plane, etcd]}
    - {name: b, address: 10.0.0.2, roles: *roles}
    - {name: c, address: 10.0.0.3, roles: *roles}
`;
    expect(parseClusterSpec(text, 'text/yaml').spec.hosts[2]?.roles).toEqual(['control-plane', 'etcd']);
  });
});

describe('malformed documents', () => {
  it.each([
    ['a tab', 'kind: Cluster\nspec:\n\thosts: []', 'line 3'],
    ['a key twice', 'kind: Cluster\nkind: Cluster\n', 'line 2, column 1'],
    ['two documents', 'kind: Cluster\n---\nkind: Cluster\n', 'line 2'],
    ['an unknown tag', 'kind: !!js/function "x"\n', 'line 1'],
    ['an unclosed list', 'spec: [1, 2\n', 'line'],
    ['an unknown anchor', 'kind: *nowhere\n', 'nowhere'],
    ['a merge of a prototype', '__proto__: {a: 1}\n', '__proto__'],
    ['a set', 'kind: !!set {a, b}\n', 'line 1, column 7: Unresolved tag'],
    ['an ordered map', 'spec: !!omap [hosts: 1]\n', 'line 1, column 7: Unresolved tag'],
    ['bytes', 'kind: !!binary aGk=\n', 'line 1, column 7: Unresolved tag'],
    ['a key with the tag of merges', '!<tag:yaml.org,2002:merge> a: 1\n', 'Unresolved tag'],
    ['another version', '%YAML 1.1\n---\nx: &x {a: yes}\nspec: {<<: *x}\n', 'a document of YAML 1.1; send YAML 1.2'],
  ])('YAML with %s', (_name, text, place) => {
    expect(refused(text, 'application/yaml')).toMatchObject({
      code: 'SPEC_MALFORMED',
      message: expect.stringContaining(place),
    });
  });

  it('YAML that multiplies itself is refused before it grows', () => {
    const levels = Array.from(
      { length: 12 },
      (_, n) =>
        `a${n}: &a${n} [${Array(9)
          .fill(n === 0 ? 'x' : `*a${n - 1}`)
          .join(', ')}]`,
    );
    expect(refused(levels.join('\n'), 'application/yaml').code).toBe('DOCUMENT_TOO_COMPLEX');
  });

  it.each(['application/json', 'application/yaml'])('nesting without end (%s)', (type) => {
    expect(['SPEC_MALFORMED', 'SPEC_INVALID']).toContain(refused('['.repeat(100_000) + ']'.repeat(100_000), type).code);
    expect(refused(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`, type).code).toBe('SPEC_MALFORMED');
  });

  it.each([
    ['{"kind": "Cluster",\n "spec": }', 'line 2, column 10'],
    ['{"kind": "Cluster"', 'line 1, column 19'],
    ['{"__proto__": {"a": 1}}', '__proto__'],
  ])('JSON %s', (text, place) => {
    expect(refused(text)).toMatchObject({ code: 'SPEC_MALFORMED', message: expect.stringContaining(place) });
  });

  it.each(['', '42', '[]', 'null', '"text"'])('a document that is no object: %j', (text) => {
    expect(refused(text, 'application/yaml')).toMatchObject({ code: 'SPEC_INVALID' });
  });
});

describe('the error of an unknown word names the nearest known one', () => {
  it.each<[string, Json, string]>([
    ['key', spec({}, [host({ rolse: [] })]), 'spec.hosts[0]: unknown key `rolse`; did you mean `roles`?'],
    ['key above', { ...spec(), metdata: {} }, ': unknown key `metdata`; did you mean `metadata`?'],
    ['deep key', spec({ network: { podCIDR: 'x' } }), 'spec.network: unknown key `podCIDR`; did you mean `podCidr`?'],
    [
      'role',
      spec({}, [host({ roles: ['control-plan'] })]),
      'spec.hosts[0].roles[0]: unknown value `control-plan`; did you mean `control-plane`?',
    ],
    ['phase', spec({ phases: { flanel: {} } }), 'spec.phases: unknown phase `flanel`; did you mean `flannel`?'],
    [
      'option',
      spec({ phases: { flannel: { bakend: 'vxlan' } } }),
      'spec.phases.flannel: unknown key `bakend`; did you mean `backend`?',
    ],
    [
      'option value',
      spec({ phases: { flannel: { backend: 'vxlam' } } }),
      'spec.phases.flannel.backend: unknown value `vxlam`; did you mean `vxlan`?',
    ],
    [
      'phase of a host',
      spec({}, [host({ phases: { flanel: {} } })]),
      'spec.hosts[0].phases: unknown phase `flanel`; did you mean `flannel`?',
    ],
    [
      'option of a host',
      spec({}, [host({ phases: { flannel: { mut: 1 } } })]),
      'spec.hosts[0].phases.flannel: unknown key `mut`; did you mean `mtu`?',
    ],
    [
      'version key',
      spec({ kubernetes: { kubernetesVersion: '1.36.3' } }),
      'spec.kubernetes: unknown key `kubernetesVersion`; did you mean `version`?',
    ],
  ])('%s', (_name, document, message) => {
    expect(refused(document).errors).toContain(message);
  });

  it('and the list of them when none is near', () => {
    expect(nearest('zzzzzz', ['roles', 'name'])).toBeUndefined();
    expect(refused(spec({}, [host({ roles: ['qqqqqqqqqqqqqqqqqqqq'] })])).errors[0]).toMatch(
      /known: control-plane, etcd/,
    );
  });
});

describe('unions are readable', () => {
  const credential = (value: unknown) => refused(spec({ ssh: { credential: value } })).errors;
  it.each<[unknown, string]>([
    ['lab', 'spec.ssh.credential: must be an object with one of the keys `name`, `keyFile`, `agent`'],
    [{}, 'spec.ssh.credential: must be an object with one of the keys `name`, `keyFile`, `agent`'],
    [{ file: '/a' }, 'spec.ssh.credential: unknown key `file`; did you mean `keyFile`?'],
    [{ keyFile: 'a b' }, 'spec.ssh.credential.keyFile: must be an absolute path of letters, digits and . _ - / @ +'],
  ])('credential %j', (value, message) => {
    expect(credential(value)).toEqual([message]);
  });

  it('address', () => {
    expect(refused(spec({}, [host({ address: 'a b' })])).errors).toEqual([
      'spec.hosts[0].address: must be an IPv4 address or must be a DNS name',
    ]);
    expect(refused(spec({}, [host({ address: 7 })])).errors[0]).toMatch(/^spec\.hosts\[0\]\.address: /);
  });
});

it('a missing field is reported as required', () => {
  const { address: _address, ...without } = host();
  expect(refused(spec({}, [without])).errors).toEqual(['spec.hosts[0].address: is required']);
  expect(refused({}).errors).toContain('spec: is required');
});

it('the place of a JSON error is where the text stops being JSON', () => {
  // Of which a key is refused for another reason.
  const json = fc.json({ maxDepth: 3 }).filter((text) => !text.includes('__proto__'));
  fc.assert(
    fc.property(json, fc.nat(), (text, at) => {
      const problemOf = (part: string) => scanJson(part, new DocumentCount(DOCUMENT_BOUNDS, String));
      expect(problemOf(text)).toBeNull();
      const cut = at % text.length;
      expect(problemOf(text.slice(0, cut)) ?? 0).toBeLessThanOrEqual(cut);
      expect(problemOf(`${text}~`)).toBe(text.length);
    }),
    { numRuns: 200 },
  );
});

it('any text is accepted or refused, never anything else', () => {
  const words = fc.stringMatching(/^[ \n:{}[\]&*!|>'"%@`,#?a-c0-9-]{0,60}$/);
  fc.assert(
    fc.property(words, fc.constantFrom('application/json', 'application/yaml'), (text, type) => {
      expect(refused(text, type).code).toMatch(/^SPEC_/);
    }),
    { numRuns: 300 },
  );
});

it('any value in place of a field gives field errors with a path', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('name', 'address', 'roles', 'ssh', 'labels', 'taints', 'phases'),
      fc.jsonValue(),
      (field, value) => {
        try {
          parseClusterSpec(JSON.stringify(spec({}, [host({ [field]: value })])), 'application/json');
        } catch (error) {
          if (!KubewrightError.is(error)) throw error;
          if (error.code === 'SPEC_MALFORMED') return;
          for (const { path, message } of error.errors ?? []) {
            expect(path).toMatch(/^spec/);
            expect(message).not.toMatch(/undefined|\[object/);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

describe('what an attacker or a tired person sends', () => {
  it('refuses a key that is there twice in JSON, however it is spelt, and names its place', () => {
    const twice = JSON.stringify(spec()).replace('{"apiVersion"', '{"kind":"Other","apiVersion"');
    expect(refused(twice).message).toMatch(/^line 1, column \d+: the key `kind` is there twice$/);
    expect(refused(twice.replace('"kind":"Other"', '"k\\u0069nd":"Other"')).message).toContain('`kind`');
    const values = { labels: { a: 'kind', b: 'kind' } };
    expect(() => parseClusterSpec(JSON.stringify(spec({}, [host(values)])), 'application/json')).not.toThrow();
  });

  it('names 100 problems of phases at most, however many hosts have them', () => {
    const many = (phases: Json) =>
      Array.from({ length: 200 }, (_, at) =>
        host({
          name: `h-${at}`,
          address: `10.0.0.${at + 1}`,
          roles: at === 0 ? ['control-plane', 'etcd'] : ['worker'],
          phases,
        }),
      );
    const keys = Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`backen${at}`, 1]));
    const names = Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`flanne${at}`, {}]));
    expect(refused(spec({}, many({ flannel: keys }))).errors).toHaveLength(100);
    expect(refused(spec({}, many(names))).errors).toHaveLength(100);
    expect(
      refused(
        spec({ phases: { ...names, ...Object.fromEntries(Array.from({ length: 90 }, (_, at) => [`x${at}`, {}])) } }),
      ).errors,
    ).toHaveLength(100);
  });

  it('reports a document that is nested too deeply, or two documents, with a sentence', () => {
    expect(refused('- '.repeat(10_000), 'application/yaml').message).toMatch(/nested too deeply$/);
    expect(refused('a: 1\n---\nb: 2\n', 'application/yaml').message).toContain('a second document begins');
  });

  it.each([
    ['0.0.0.0', 'must be the address of one machine'],
    ['224.0.0.1', 'must be the address of one machine'],
    ['0x7f000001', 'must be an IPv4 address'],
    ['1.2.3', 'must be an IPv4 address'],
  ])('refuses %s as the address of a host', (address, message) => {
    expect(refused(spec({}, [host({ address })])).errors.join()).toContain(`spec.hosts[0].address: `);
    expect(refused(spec({}, [host({ address })])).errors.join()).toContain(message);
  });

  it.each(['127.0.0.1', 'localhost'])(
    'refuses %s beside hosts that are elsewhere, not for one machine alone',
    (address) => {
      const elsewhere = host({ name: 'w-1', roles: ['worker'], address: '10.0.0.2' });
      expect(refused(spec({}, [host({ address }), elsewhere])).errors).toEqual([
        `spec.hosts[0].address: ${address} is another machine for every other host; give internalAddress`,
      ]);
      expect(() => parseClusterSpec(JSON.stringify(spec({}, [host({ address })])), 'application/json')).not.toThrow();
    },
  );

  it.each<[string, Json]>([
    ['name', { name: 'kubernetes' }],
    ['address', { address: 'kubernetes.default' }],
    ['internalAddress', { internalAddress: 'kubernetes.default.svc' }],
    ['internalAddress', { internalAddress: 'kubernetes.default.svc.example.org' }],
  ])('refuses the %s of a worker that would have its certificate pass for the API server: %j', (field, more) => {
    const worker = host({ name: 'w-1', roles: ['worker'], address: '10.0.0.2', ...more });
    const document = spec({ network: { clusterDomain: 'example.org' } }, [host(), worker]);
    expect(refused(document).errors).toEqual([
      `spec.hosts[1].${field}: ${String(more[field])} is a name of the API server`,
    ]);
    expect(() => parseClusterSpec(JSON.stringify(spec({}, [host(more)])), 'application/json')).not.toThrow();
  });

  it('allows SSH through loopback when the other hosts have another address', () => {
    const forwarded = spec({}, [host({ address: '127.0.0.1', internalAddress: '10.0.0.1' })]);
    expect(() => parseClusterSpec(JSON.stringify(forwarded), 'application/json')).not.toThrow();
  });

  it('refuses an internal address that is the address of another host', () => {
    const second = host({ name: 'w-1', roles: ['worker'], address: '10.0.0.2', internalAddress: '10.0.0.1' });
    expect(refused(spec({}, [host(), second])).errors).toEqual([
      'spec.hosts[1].internalAddress: duplicates internalAddress of hosts[0]: 10.0.0.1',
    ]);
  });

  it('refuses a network of pods without room for every node', () => {
    const hosts = Array.from({ length: 5 }, (_, at) => ({
      name: `h-${at}`,
      address: `192.0.2.${at + 1}`,
      roles: at === 0 ? ['control-plane', 'etcd'] : ['worker'],
    }));
    const errors = refused(spec({ hosts, network: { podCidr: '10.244.0.0/22' } })).errors.join();
    expect(errors).toContain('has room for 4 nodes, a /24 each; 5 hosts are nodes');
  });

  it.each(['127.0.0.0/16', '169.254.0.0/16', '224.0.0.0/16'])('refuses %s as a network of pods', (podCidr) => {
    expect(refused(spec({ network: { podCidr } })).errors.join()).toContain('is reserved for other uses');
  });

  it.each(['; id', '$(id)', '`id`', "'", '"', 'a\nb', 'a\0b', 'a\u202eb', '😀', 'a|b', 'a&b', 'a\\b', 'a>b'])(
    'refuses %j anywhere in phase options',
    (text) => {
      const message = 'may have letters, digits, spaces';
      expect(refused(spec({ phases: { nodes: { config: { deep: [text] } } } })).errors.join()).toContain(
        `spec.phases.nodes.config.deep[0]: ${message}`,
      );
      expect(refused(spec({}, [host({ phases: { nodes: { [text]: 1 } } })])).errors.join()).toContain(message);
    },
  );

  it('describes sizes with a sentence, and a credential with the nearest key', () => {
    expect(refused(spec({ ssh: { credential: { name: 'a' }, port: 65_536 } })).message).toBe(
      'spec.ssh.port must be at most 65535',
    );
    expect(refused(spec({}, [])).errors).toContain('spec.hosts: must have at least 1 item');
    expect(refused(spec({ ssh: { credential: { keyfile: '/a' } } })).message).toContain('did you mean `keyFile`?');
  });
});
