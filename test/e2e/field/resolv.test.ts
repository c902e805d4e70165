import { expect, it } from 'vitest';
import { ERRORS } from '../../../contracts/error-catalogue.ts';
import { Field } from './field.ts';

const field = new Field();

/** Puts another resolv.conf in place of the host's own, which `BACK` puts back. */
const resolvConf = (script: string) =>
  `[ -e /root/resolv.conf ] || cp -a /etc/resolv.conf /root/resolv.conf\nrm -f /etc/resolv.conf\n${script}`;
const BACK = '[ ! -e /root/resolv.conf ] || mv -f /root/resolv.conf /etc/resolv.conf; rm -rf /run/systemd/resolve';
const STUB = `mkdir -p /run/systemd/resolve
printf 'nameserver 127.0.0.53\\noptions edns0 trust-ad\\nsearch .\\n' >/run/systemd/resolve/stub-resolv.conf
ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf`;

it.each([
  [
    'a resolver on loopback',
    "printf 'search a b\\nnameserver 127.0.0.1\\n' >/etc/resolv.conf",
    /\/etc\/resolv\.conf, line 2: nameserver 127\.0\.0\.1/,
  ],
  [
    'a stub without its resolver',
    STUB,
    /\/etc\/resolv\.conf \(\/run\/systemd\/resolve\/stub-resolv\.conf\), line 1: nameserver 127\.0\.0\.53/,
  ],
  [
    'a broken link',
    'ln -s ../run/systemd/resolve/gone.conf /etc/resolv.conf',
    /\/etc\/resolv\.conf: a link to \.\.\/run\/systemd\/resolve\/gone\.conf/,
  ],
  ['no server at all', 'echo search example.org >/etc/resolv.conf', /\/etc\/resolv\.conf: no line with nameserver/],
  ['the address of cluster DNS', 'echo nameserver 10.96.0.10 >/etc/resolv.conf', /line 1: nameserver 10\.96\.0\.10/],
])('%s is named with its place, and what helps', async (_what, script, evidence) => {
  await field.prepared('cp-1', resolvConf(script), BACK, async () => {
    const { error } = await field.refused(field.spec('field-resolv'));
    expect(error.code).toBe('RESOLV_CONF_UNUSABLE');
    expect(error.evidence).toMatch(evidence);
    expect(ERRORS.RESOLV_CONF_UNUSABLE.hint).toContain('spec.phases.dns.upstream');
  });
});

it('a stub whose resolver has real servers is no problem, and neither is loopback beside servers of cluster DNS', async () => {
  const resolved = `${STUB}\nprintf 'nameserver 10.255.255.53\\n' >/run/systemd/resolve/resolv.conf`;
  await field.prepared('cp-1', resolvConf(resolved), BACK, async () => {
    expect((await field.dryRun(field.spec('field-resolv'))).errors).toEqual([]);
  });
  await field.prepared('cp-1', resolvConf('echo nameserver 127.0.0.1 >/etc/resolv.conf'), BACK, async () => {
    const spec = field.spec('field-resolv', { phases: { dns: { upstream: ['10.255.255.53'] } } });
    expect((await field.dryRun(spec)).errors).toEqual([]);
  });
});
