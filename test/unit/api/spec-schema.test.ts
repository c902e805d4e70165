import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, expect, it } from 'vitest';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { type Json, spec, testApi } from './support.ts';

const phases = await loadPhases();
const api = await testApi({ phases });
afterAll(() => api.close());

const { status, body: schema } = await api.call('GET', '/schemas/cluster', { as: 'viewer' });
const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
const withPhases = (chosen: Json) => spec({ phases: chosen });

it('is a JSON Schema that a spec fits', () => {
  expect(status).toBe(200);
  expect(validate(withPhases({ calico: { mode: 'bgp' } })), JSON.stringify(validate.errors)).toBe(true);
});

it.each<[string, Json]>([
  ['an unknown phase', withPhases({ nonet: {} })],
  ['an unknown option', withPhases({ flannel: { backedn: 'vxlan' } })],
  ['a value that an option does not have', withPhases({ flannel: { backend: 'carrier-pigeon' } })],
  ['options of a phase that has none of its own', withPhases({ kubeadm: {} })],
  ['a spec without hosts', spec({}, [])],
])('refuses %s', (_, document) => expect(validate(document)).toBe(false));

it('says for every phase with options what they mean', () => {
  const text = JSON.stringify(schema);
  for (const { name, title, sharesOptionsWith } of phases)
    if (sharesOptionsWith === undefined) expect(text, name).toContain(JSON.stringify(title));
});
