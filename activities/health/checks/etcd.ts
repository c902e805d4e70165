import { z } from 'zod';
import type { HealthReason } from '../../../contracts/health.ts';
import { bytes, parseFileSystems } from '../../kube/eviction.ts';
import { readAnswer, readCall, statusOf } from '../../phases/external-etcd/public.ts';
import { rawPhaseOptions } from '../../phases/options.ts';
import { defineHealthCheck, rowsOf, shortened } from '../view.ts';

/** Share of the quota from which on the database is large. */
const LARGE = 0.8;
/** Where neither etcd (before 3.6) nor the spec says it: the default of the phase. */
const DEFAULT_QUOTA = 2 * 1024 ** 3;

const health = z.looseObject({ health: z.string().max(16), reason: z.string().max(500).default('') });
/** Of etcd's gateway: 64-bit numbers are texts. */
const status = z.looseObject({
  dbSize: z.coerce.number().default(0),
  dbSizeInUse: z.coerce.number().default(0),
  dbSizeQuota: z.coerce.number().optional(),
  isLearner: z.boolean().default(false),
  errors: z.array(z.string().max(500)).max(100).default([]),
});

/** A member as the rows say: of a host of the cluster, or an endpoint of an external etcd. */
interface Member {
  /** Null: of an external etcd. */
  host: string | null;
  subject: string;
  /** As the subject of a sentence, and shorter. */
  who: string;
  short: string;
  healthAnswer: string;
  /** JSON of the gateway, or the same from gRPC. */
  statusAnswer: string;
}

function ofHost([host = '', healthAnswer = '', statusAnswer = '']: readonly string[]): Member {
  return {
    host,
    subject: `etcd ${host}`,
    who: `the etcd member of ${host}`,
    short: `etcd on ${host}`,
    healthAnswer,
    statusAnswer,
  };
}

function ofEndpoint([endpoint = '', healthAnswer = '', digits = '']: readonly string[]): Member {
  const who = `the external etcd at ${endpoint}`;
  const call = readCall(readAnswer([digits]));
  const statusAnswer = 'why' in call ? call.why : JSON.stringify(statusOf(call.message));
  return {
    host: null,
    subject: `etcd ${endpoint}`,
    who,
    short: who,
    healthAnswer,
    statusAnswer,
  };
}

/** Every member: in touch with a majority, without alarms, with room to grow below its quota and on its disk. */
export default defineHealthCheck(20, ({ cluster, rows, out, hosts }) => {
  const members = [...rowsOf(rows, 'etcd').map(ofHost), ...rowsOf(rows, 'external-etcd').map(ofEndpoint)];
  return members.flatMap(({ host, subject, who, short, healthAnswer, statusAnswer }): HealthReason[] => {
    if (host !== null && out.has(host)) return [];
    const well = parsed(health, healthAnswer);
    const seen = parsed(status, statusAnswer);
    if (!well || !seen) {
      const evidence = shortened(well ? statusAnswer : healthAnswer);
      return [{ code: 'ETCD_UNHEALTHY', subject, reason: `${who} does not answer`, evidence }];
    }
    const reasons: HealthReason[] = [];
    const alarms = seen.errors.filter((text) => /alarm/i.test(text) || /NOSPACE|CORRUPT/.test(text));
    if (alarms.length > 0 || /ALARM/.test(well.reason)) {
      const evidence = shortened(alarms.join('; ') || well.reason);
      const which = /NOSPACE|CORRUPT/.exec(evidence)?.[0] ?? 'an alarm';
      reasons.push({ code: 'ETCD_ALARM', subject, reason: `${short} has the alarm ${which}`, evidence });
    } else if (well.health !== 'true') {
      reasons.push({
        code: 'ETCD_UNHEALTHY',
        subject,
        reason: `${who} cannot reach a majority`,
        evidence: shortened(well.reason),
      });
    }
    if (seen.isLearner) reasons.push({ code: 'ETCD_UNHEALTHY', subject, reason: `${who} has no vote yet` });
    const configured = Number(rawPhaseOptions(cluster, 'etcd')['quotaBytes']);
    // An external one before 3.6 does not say it, and raises an alarm when it is full.
    const unsaid = host === null ? Number.POSITIVE_INFINITY : configured > 0 ? configured : DEFAULT_QUOTA;
    const quota = seen.dbSizeQuota ?? unsaid;
    const sizes = `database ${bytes(seen.dbSize)}, of it in use ${bytes(seen.dbSizeInUse)}, quota ${bytes(quota)}`;
    if (seen.dbSize > LARGE * quota) {
      const reason = `the database of ${short} has ${Math.round((100 * seen.dbSize) / quota)} % of its quota`;
      reasons.push({ code: 'ETCD_SPACE', subject, reason, evidence: sizes });
    }
    const own = hosts.find((each) => each.host.name === host);
    const disk = parseFileSystems(own?.rows ?? []).fileSystems.find(({ use }) => use === 'etcd');
    if (disk && disk.freeKiB * 1024 < quota - seen.dbSize) {
      const reason = `the disk of ${short} is full before the quota is: ${bytes(disk.freeKiB * 1024)} free`;
      const evidence = `${disk.device} on ${disk.mountPoint} for ${disk.folder}; ${sizes}`;
      reasons.push({ code: 'ETCD_SPACE', subject, reason, evidence });
    }
    return reasons;
  });
});

function parsed<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> | null {
  try {
    const { success, data } = schema.safeParse(JSON.parse(text));
    return success ? data : null;
  } catch {
    return null;
  }
}
