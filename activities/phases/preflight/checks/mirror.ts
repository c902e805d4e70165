import { CURL } from '../../../host/direct.ts';
import { defineCheck } from '../check.ts';

export default defineCheck({
  name: 'mirror',
  about: 'network',
  title: 'Artifact mirror',
  inspects: '`curl` of manifest.json on `spec.artifacts.mirror` within 4 s, on every host that has curl.',
  codes: ['NETWORK_UNREACHABLE'],
  probe: {
    script: `
command -v curl >/dev/null || return 0
answer=$(${CURL} -sS -f -o /dev/null -m 4 -r 0-0 -- "$1" 2>&1) && answer=ok
say "$answer"`,
    args: ({ cluster: { spec } }) =>
      spec.artifacts.mirror === undefined ? null : [`${spec.artifacts.mirror.replace(/\/$/, '')}/manifest.json`],
  },
  evaluate({ cluster }, [row]) {
    if (!row || row[0] === 'ok') return [];
    const evidence = `${cluster.spec.artifacts.mirror ?? ''}: ${row[0] ?? ''}`;
    return [{ code: 'NETWORK_UNREACHABLE', message: 'the artifact mirror cannot be reached', evidence }];
  },
});
