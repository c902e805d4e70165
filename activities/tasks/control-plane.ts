import { createHash } from 'node:crypto';
import { type ClusterSpec, hostsWithRole } from '../../contracts/cluster.ts';
import { KubewrightError } from '../../contracts/errors.ts';
import type { Host } from '../../contracts/host.ts';
import type { ExecOptions, ExecResult, RemoteHost, UploadOptions } from '../host/types.ts';
import { KUBECTL_ENV } from '../kube/kubectl.ts';
import { BIN_DIR } from '../kube/paths.ts';

/** How long one API server is asked whether it is ready, ms. */
const READY_MS = 10_000;
/** Errors of a control plane for which another one can stand in. */
const AWAY = new Set(['SSH_UNREACHABLE', 'SSH_CONNECTION_LOST', 'SSH_AUTH_FAILED', 'COMMAND_TIMEOUT']);

/**
 * The scope under which a task of another host works on a control plane: tasks of one phase on several hosts do so side by side.
 */
export const scopeFor = (phase: string, host: string): string =>
  `${phase.slice(0, 40)}-for-${createHash('sha256').update(host).digest('hex').slice(0, 12)}`;

/**
 * The control planes that are in, in the order in which a task of this host asks them: its own first, others begin with
 * different ones.
 */
export function planesInTurn(cluster: ClusterSpec, host: Host, quarantined: readonly string[]): Host[] {
  const all = hostsWithRole(cluster, 'control-plane').filter(({ name }) => !quarantined.includes(name));
  const own = all.findIndex(({ name }) => name === host.name);
  const start = own >= 0 ? own : cluster.spec.hosts.findIndex(({ name }) => name === host.name) % all.length || 0;
  return [...all.slice(start), ...all.slice(0, start)];
}

/**
 * A control plane whose API server is ready, as a host whose commands have the admin's kubeconfig. They are asked in the order of
 * `planes`; when one cannot be reached, commands that change nothing go on with the next. One that
 * carries `changes` is never sent twice: it may have run, so the task is to be repeated, which observes first. In mode `check`
 * nothing that says it changes something is sent: INTERNAL. Throws APISERVER_NOT_READY, with what each said, when none is.
 */
export async function openControlPlane(of: {
  planes: readonly Host[];
  open(plane: Host): Promise<RemoteHost>;
  mode: 'apply' | 'check';
}): Promise<RemoteHost> {
  const left = [...of.planes];
  const problems: string[] = [];

  const next = async (): Promise<RemoteHost> => {
    for (let plane = left.shift(); plane !== undefined; plane = left.shift()) {
      const { name } = plane;
      try {
        const host = await of.open(plane);
        const { code, stdout, stderr } = await host.exec([`${BIN_DIR}/kubectl`, 'get', '--raw', '/readyz'], {
          env: KUBECTL_ENV,
          okCodes: 'any',
          timeoutMs: READY_MS,
        });
        if (code === 0) return host;
        problems.push(`${name}: ${`${stdout}\n${stderr}`.trim().slice(-400)}`);
      } catch (error) {
        if (!KubewrightError.is(error) || !AWAY.has(error.code)) throw error;
        problems.push(`${name}: ${error.code} ${error.message}`);
      }
    }
    const evidence = problems.join('\n') || 'every control plane is in quarantine';
    throw new KubewrightError('APISERVER_NOT_READY', 'no control plane has an API server that is ready', { evidence });
  };

  let current = await next();
  const send = async <Answer>(options: ExecOptions | UploadOptions, call: (host: RemoteHost) => Promise<Answer>) => {
    const changes = options.changes !== undefined && options.changes.length > 0;
    if (of.mode === 'check' && changes) {
      throw new KubewrightError('INTERNAL', 'a dry run would change something through a control plane');
    }
    for (;;) {
      try {
        return await call(current);
      } catch (error) {
        if (changes || !KubewrightError.is(error) || !AWAY.has(error.code) || left.length === 0) throw error;
        problems.push(`${current.name}: ${error.code} ${error.message}`);
        current = await next();
      }
    }
  };
  const withKubectl = (options: ExecOptions): ExecOptions => ({ ...options, env: { ...KUBECTL_ENV, ...options.env } });

  return {
    get name(): string {
      return current.name;
    },
    exec: (argv, options = {}): Promise<ExecResult> => send(options, (host) => host.exec(argv, withKubectl(options))),
    script: (text, args = [], options = {}): Promise<ExecResult> =>
      send(options, (host) => host.script(text, args, withKubectl(options))),
    upload: (path, content, options = {}): Promise<void> =>
      send(
        // A file is a change, whatever the caller says of it.
        { ...options, changes: options.changes ?? [{ resource: `file:${path}`, action: 'update', detail: 'content' }] },
        (host) => host.upload(path, content, options),
      ),
  };
}
