import { defineBadOptions } from '../bad-options.ts';

type Draft = Parameters<Parameters<typeof defineBadOptions>[0][number]['spec']>[0];

const time = (title: string, phase: string, options: Record<string, unknown>, place: string, message: RegExp) => ({
  title: `${phase}: ${title}`,
  spec: (draft: Draft) => {
    draft.phases[phase] = options;
  },
  code: 'SPEC_INVALID' as const,
  path: `spec.phases.${phase}${place}`,
  message,
});

export default defineBadOptions([
  {
    title: 'two time daemons',
    spec: (draft) => {
      draft.phases['chrony'] = {};
      draft.phases['ntpsec'] = {};
    },
    code: 'SPEC_INVALID',
    path: 'spec.phases.ntpsec',
    message: /^chrony and ntpsec each provide time-synchronization/,
  },
  {
    title: 'systemd-timesyncd on a time server',
    spec: (draft) => {
      draft.phases['systemd-timesyncd'] = {};
    },
    code: 'SPEC_INVALID',
    path: 'spec.hosts[0].roles[4]',
    message: /^systemd-timesyncd only follows servers and cannot serve: remove the role time-server, or choose/,
  },
  {
    title: 'a time daemon for one host',
    spec: (draft) => {
      draft.hosts[1]!['phases'] = { ntpsec: { enabled: true } };
    },
    code: 'SPEC_INVALID',
    path: 'spec.hosts[1].phases.ntpsec.enabled',
    message: /chosen for the whole cluster/,
  },
  time(
    'pools in both forms',
    'chrony',
    { pool: ['a.example'], pools: ['b.example'] },
    '.pool',
    /^spec\.phases\.chrony\.pools sets the same/,
  ),
  time('a key', 'ntpsec', { servers: [{ address: '10.0.0.1', key: 5 }] }, '.servers[0]', /unknown key `key`/),
  time(
    'an interval that is too short',
    'ntpsec',
    { servers: [{ address: '10.0.0.1', minPoll: 1 }] },
    '.servers[0].minPoll',
    /at least 3$/,
  ),
  time('no difference at all', 'chrony', { maxOffsetMs: 0 }, '.maxOffsetMs', /at least 1$/),
  time('a network with host bits', 'ntpsec', { allow: ['10.0.0.1/8'] }, '.allow[0]', /IPv4 network/),
  time('networks to answer', 'systemd-timesyncd', { allow: '10.0.0.0/8' }, '', /unknown key `allow`/),
  time(
    'a server with options',
    'systemd-timesyncd',
    { servers: [{ address: '10.0.0.1' }] },
    '.servers[0]',
    /must be a string/,
  ),
]);
