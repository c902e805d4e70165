import { CATALOGUE } from '../../../activities/phases/catalogue.ts';
import { loadPhases } from '../../../activities/phases/phase-loader.ts';
import { DEFAULT_SYSTEM } from '../../../lab/systems.ts';
import type { ExpectedRefusal, MatrixCase } from './case.ts';
import { type CaseDraft, dimensionsOf } from './choices.ts';
import { checksOf } from './chosen.ts';
import { installUserNetwork, removeUserNetwork } from './user-network.ts';

const dimensions = dimensionsOf(await loadPhases());

/** Phases with files that a mirror has on demand only. */
const onDemand = new Set(
  [...CATALOGUE.artifacts, ...CATALOGUE.images].flatMap((entry) => (entry.onDemand ? [CATALOGUE.phaseOf(entry)] : [])),
);

/** The kernel of many labs lacks ip_vs: preflight names it before anything is built. */
export const WITHOUT_IP_VS: ExpectedRefusal = {
  here: async (kit) =>
    (
      await kit.onHost(
        kit.bench.lab.hosts[0]!.name,
        '[ -e /proc/net/ip_vs ] || modprobe -n ip_vs 2>/dev/null && echo has || :',
      )
    ).trim() !== 'has',
  code: 'KERNEL_FEATURE_MISSING',
  names: /ip_vs/,
};

/**
 * A case of several choices together, so that every two choices meet in one (`npm run matrix -- --pairs`): values by the names of
 * their dimensions; what is not given is the default.
 */
export function combination(values: Readonly<Record<string, string>>, more: Partial<MatrixCase> = {}): MatrixCase {
  const chosen = Object.entries(values);
  const pick = (draft: CaseDraft): CaseDraft => {
    for (const [name, value] of chosen) {
      const dimension = dimensions.find((each) => each.name === name);
      if (!dimension?.values.includes(value)) throw new Error(`no ${name} ${value}`);
      dimension.choose(draft, value);
    }
    return draft;
  };
  const empty = { hosts: [0, 1, 2].map((n) => ({ name: `${n}`, address: '', roles: [] as string[] })), phases: {} };
  const { os } = pick({ spec: empty, os: DEFAULT_SYSTEM });
  const files = chosen.map(([, value]) => value).filter((value) => onDemand.has(value));
  return {
    title: `Together: ${chosen.map(([name, value]) => `${name} ${value}`).join(', ')}`,
    hosts: { 'control-plane': 1, worker: 2 },
    ...(files.length > 0 ? { with: files } : {}),
    ...(os === DEFAULT_SYSTEM ? {} : { os }),
    ...(values['etcd'] === 'external' ? { externalEtcd: true as const } : {}),
    ...(values['proxy'] === 'ipvs' ? { refusal: WITHOUT_IP_VS } : {}),
    ...(values['network'] === 'external-network'
      ? { whileBuilding: installUserNetwork, cleanUp: removeUserNetwork }
      : {}),
    // A host with etcd alone is no node, and a member cannot be the last one to leave.
    ...(values['etcd'] === 'apart' ? { removes: 'worker-1' } : {}),
    checks: checksOf(values),
    spec: (spec) => void pick({ spec, os: DEFAULT_SYSTEM }),
    change: (draft) => {
      draft.hosts[1]!.labels = { 'matrix.example/changed': 'yes' };
    },
    ...more,
  };
}
