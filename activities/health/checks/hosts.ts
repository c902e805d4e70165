import { X509Certificate } from 'node:crypto';
import type { HealthReason } from '../../../contracts/health.ts';
import { imageGcShortage, parseFileSystems, shortages } from '../../kube/eviction.ts';
import { defineHealthCheck, type HostView, isBare, rowsOf, shortened } from '../view.ts';

const DAY_MS = 24 * 3600 * 1000;
/** A build renews a leaf with less than 73 days left; one that has so few has missed its builds, days. */
const LEAF_DAYS = 30;
/** No build renews an authority: every certificate of it must be exchanged, days. */
const AUTHORITY_DAYS = 180;

/** Hosts by themselves: reachable, units running, room for pods, certificates that hold. */
export default defineHealthCheck(50, ({ hosts: all, now }) =>
  all.flatMap((view): HealthReason[] => {
    if (view.rows === null) {
      const { name } = view.host;
      const reason = `the host ${name} did not answer the health check`;
      return [{ code: 'HOST_UNREACHABLE', subject: `host ${name}`, reason, evidence: shortened(view.why ?? '') }];
    }
    if (isBare(view)) return [];
    return [...units(view), ...space(view), ...certificates(view, now)];
  }),
);

function units({ host, rows }: HostView): HealthReason[] {
  return rowsOf(rows, 'unit').flatMap(([unit = '', state = '']): HealthReason[] => {
    if (state === 'active' || state === 'reloading') return [];
    const reason = `${unit} on ${host.name} is ${state}`;
    return [
      {
        code: 'UNIT_NOT_RUNNING',
        subject: `unit ${unit} on ${host.name}`,
        reason,
        evidence: `systemctl is-active ${unit}: ${state}`,
      },
    ];
  });
}

function space({ host, rows, limits }: HostView): HealthReason[] {
  if (!host.roles.some((role) => role === 'worker' || role === 'control-plane')) return [];
  const { fileSystems, memoryKiB } = parseFileSystems(rows ?? []);
  const subject = `host ${host.name}`;
  const short = shortages(limits, fileSystems, memoryKiB).map(({ signal, message, evidence }): HealthReason => {
    const code = signal === 'memory.available' ? 'MEMORY_LOW' : 'DISK_LOW';
    return { code, subject, reason: `${host.name}: ${message}`, evidence };
  });
  const deletes = imageGcShortage(limits, fileSystems);
  if (!deletes || short.some(({ evidence }) => evidence?.includes('imagefs.available'))) return short;
  return [
    ...short,
    { code: 'IMAGE_GC', subject, reason: `${host.name}: ${deletes.message}`, evidence: deletes.evidence },
  ];
}

function certificates({ host, rows }: HostView, now: number): HealthReason[] {
  return rowsOf(rows, 'cert').flatMap(([path = '', der = '']): HealthReason[] => {
    const subject = `certificate ${path} on ${host.name}`;
    const read = certificateOf(der);
    if (!read) {
      const reason = `${path} on ${host.name} holds no certificate that can be read`;
      return [{ code: 'CERTIFICATE_EXPIRED', subject, reason }];
    }
    const days = Math.floor((read.endsAt - now) / DAY_MS);
    const evidence = `${read.subject}, valid until ${new Date(read.endsAt).toISOString()}`;
    if (read.endsAt <= now) {
      const reason = `${path} on ${host.name} expired ${-days} days ago`;
      return [{ code: 'CERTIFICATE_EXPIRED', subject, reason, evidence, since: new Date(read.endsAt).toISOString() }];
    }
    if (days >= (read.authority ? AUTHORITY_DAYS : LEAF_DAYS)) return [];
    const reason = `${path} on ${host.name} expires in ${days} days`;
    return [{ code: 'CERTIFICATE_EXPIRING', subject, reason, evidence }];
  });
}

function certificateOf(der: string): { endsAt: number; subject: string; authority: boolean } | null {
  try {
    const { validTo, subject, ca } = new X509Certificate(Buffer.from(der.replace(/^pem:/, ''), 'base64'));
    const endsAt = Date.parse(validTo);
    return Number.isNaN(endsAt) ? null : { endsAt, subject: subject.replaceAll('\n', ', '), authority: ca };
  } catch {
    return null;
  }
}
