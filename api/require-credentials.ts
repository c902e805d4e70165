import type { ClusterSpec } from '../contracts/cluster.ts';
import { KubewrightError } from '../contracts/errors.ts';
import type { ApiDeps } from './deps.ts';

/** A spec that names a credential which is not stored would only fail on every host. */
export async function requireCredentials(deps: ApiDeps, spec: ClusterSpec): Promise<void> {
  const refs = [
    { path: 'spec.ssh.credential', ref: spec.spec.ssh.credential },
    { path: 'spec.ssh.jump.credential', ref: spec.spec.ssh.jump?.credential },
    ...spec.spec.hosts.flatMap(({ ssh }, index) => [
      { path: `spec.hosts[${index}].ssh.credential`, ref: ssh?.credential },
      { path: `spec.hosts[${index}].ssh.jump.credential`, ref: ssh?.jump?.credential },
    ]),
  ];
  const named = refs.flatMap(({ path, ref }) => (ref && 'name' in ref ? [{ path, name: ref.name }] : []));
  if (named.length === 0) return;
  const known = new Set((await deps.store.credentials.list()).map(({ name }) => name));
  const errors = named
    .filter(({ name }) => !known.has(name))
    .slice(0, 100)
    .map(({ path, name }) => ({
      path,
      message: `there is no credential named ${name}; PUT /credentials/${name} first`,
    }));
  const [first] = errors;
  if (first) throw new KubewrightError('SPEC_INVALID', `${first.path}: ${first.message}`, { errors });
}
