import type { Change } from '../../contracts/operation.ts';
import { digestOfParts, sha256 } from './digest.ts';
import { entryKey, type LedgerEntry } from './ledger.ts';
import { absolute } from './path-check.ts';
import { unitStamp } from './paths.ts';
import { type DiffContext, defineKind, type Resource, resourceKey, type UnitActions } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface ServiceResource extends Resource {
  readonly kind: 'service';
  /** With its suffix: `etcd.service`. */
  readonly unitName: string;
  readonly unit: string | null;
  readonly dropIns: Readonly<Record<string, string>>;
  readonly restartOn: readonly string[];
  readonly enabled: boolean;
  readonly running: boolean;
  readonly reload: boolean;
  readonly fills?: readonly string[];
  readonly wait: boolean;
  readonly beforeStop?: string;
}

interface ServiceState {
  /** ActiveState; `inactive` for a unit that is not there. */
  active: string;
  /** On its way up; not between two tries of a unit that fails. */
  starting: boolean;
  unitFileState: string;
  needsReload: boolean;
  /** What the unit depended on at its last (re)start. */
  stamp: string;
  /** sha256 of our files as they are, in the order of `ownFiles`; empty for those that are missing. */
  files: string[];
}

const SYSTEMD_DIR = '/etc/systemd/system';
const SUFFIX = /\.(service|socket|timer|mount|path|target)$/;
/** systemd's own default for a start is 90 s. */
const UNIT_TIMEOUT_MS = 150_000;

/**
 * A systemd unit: its files when they are ours, enabled, running, and restarted when something of `restartOn` (ids or
 * paths of resources of the same task) or its unit files changed since its last start.
 * - `reload`: changes of `restartOn` reload instead; changed unit files still restart.
 * - `fills`: what its processes write, files or folders: a teardown removes it where nothing was before.
 * - `wait: false`: does not wait until a unit of Type=notify says that it is ready (members of one quorum, say).
 * - `beforeStop`: sh that runs right before a running unit is restarted or stopped; `kw_fail CODE MESSAGE` and a status other
 *   than 0 keep it from that. Not part of the unit: a change of it restarts nothing.
 */
export function service(
  name: string,
  options: {
    unit?: string;
    dropIns?: Readonly<Record<string, string>>;
    restartOn?: readonly string[];
    enabled?: boolean;
    running?: boolean;
    reload?: boolean;
    fills?: readonly string[];
    wait?: boolean;
    beforeStop?: string;
  } = {},
): ServiceResource {
  const unitName = SUFFIX.test(name) ? name : `${name}.service`;
  absolute(`${SYSTEMD_DIR}/${unitName}`);
  for (const dropIn of Object.keys(options.dropIns ?? {})) absolute(`${SYSTEMD_DIR}/${unitName}.d/${dropIn}`);
  return {
    kind: 'service',
    id: name,
    unitName,
    unit: options.unit ?? null,
    dropIns: options.dropIns ?? {},
    restartOn: options.restartOn ?? [],
    enabled: options.enabled ?? true,
    running: options.running ?? true,
    reload: options.reload ?? false,
    ...(options.fills ? { fills: options.fills.map(absolute) } : {}),
    wait: options.wait ?? true,
    ...(options.beforeStop ? { beforeStop: options.beforeStop } : {}),
  };
}

/** Files under /etc/systemd/system that are ours, with their contents. */
function ownFiles({ unitName, unit, dropIns }: ServiceResource): { path: string; content: string }[] {
  const files = Object.entries(dropIns)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, content]) => ({
      path: `${SYSTEMD_DIR}/${unitName}.d/${name.endsWith('.conf') ? name : `${name}.conf`}`,
      content,
    }));
  return unit === null ? files : [{ path: `${SYSTEMD_DIR}/${unitName}`, content: unit }, ...files];
}

const filesDigest = (resource: ServiceResource): string =>
  digestOfParts(ownFiles(resource).flatMap(({ path, content }) => [path, content]));

const stampOf = (resource: ServiceResource, context: DiffContext): string =>
  digestOfParts([context.digestOf(resource.restartOn), filesDigest(resource)]);

/** The steps, in the order in which they are listed and done. */
function needs(resource: ServiceResource, observed: ServiceState, context: DiffContext) {
  const files = ownFiles(resource);
  const stale = files.filter(({ content }, index) => observed.files[index] !== sha256(content));
  const isEnabled = observed.unitFileState.startsWith('enabled');
  // Units without an [Install] section are as enabled as they can be.
  const cannotEnable = ['static', 'generated', 'indirect', 'alias', 'transient'].includes(observed.unitFileState);
  const enable =
    resource.enabled && !isEnabled && !(cannotEnable && stale.length === 0)
      ? true
      : !resource.enabled && isEnabled
        ? false
        : undefined;
  // A member of a quorum goes on starting until it has one: nothing here would help it.
  const isActive = ['active', 'reloading'].includes(observed.active) || (observed.starting && !resource.wait);
  // A unit of the distribution that depends on nothing of ours is not restarted just to write its first stamp.
  const independent = files.length === 0 && resource.restartOn.length === 0;
  const outdated =
    !independent && (observed.stamp !== stampOf(resource, context) || context.anyChanged(resource.restartOn));
  let run: UnitActions['run'];
  if (!resource.running) run = isActive || observed.active === 'activating' ? 'stop' : undefined;
  else if (!isActive) run = 'start';
  else if (stale.length > 0 || observed.needsReload) run = 'restart';
  else if (outdated) run = resource.reload ? 'reload' : 'restart';
  return { stale, enable, run };
}

const fileId = (unitName: string, path: string): string => `${unitName}#${path}`;

/** All at once; what does not end by itself within a quarter of a minute is killed. */
const STOP = `# Fails where none of them is up. A systemd that says nothing of one has not said that it is down.
kw_up() {
  kw_said=$(systemctl is-active -- "$@" 2>/dev/null)
  [ "$(printf '%s\\n' "$kw_said" | grep -c .)" = $# ] || { echo "systemd does not answer: $(systemctl is-active -- "$@" 2>&1)" >&2; exit 1; }
  printf '%s\\n' "$kw_said" | grep -Eq '^(active|activating|deactivating|reloading)'
}
kw_stop_units() {
  kw_up "$@" || return 0
  systemctl stop --no-block -- "$@" 2>/dev/null
  kw_tries=0
  while kw_up "$@"; do
    kw_tries=$((kw_tries + 1))
    [ "$kw_tries" != 150 ] || systemctl kill --signal=KILL -- "$@"
    [ "$kw_tries" -lt 300 ] || { systemctl is-active -- "$@" >&2; return 1; }
    sleep 0.1
  done
}`;

const disable = (unit: string): string =>
  `kw_s=$(systemctl show -p LoadState --value -- ${unit} 2>&1) || { echo "$kw_s" >&2; exit 1; }
[ "$kw_s" = not-found ] || { systemctl disable --quiet --no-reload -- ${unit} 2>/dev/null; kw_tell removed 'stopped, disabled'; }`;

/** systemd prints the properties of several units in the order in which they were named, an empty line between them. */
const show = (resources: readonly ServiceResource[], quote: (word: string) => string): string =>
  `kw_says=$(systemctl show -p ActiveState -p SubState -p UnitFileState -p NeedDaemonReload -- ${resources.map(({ unitName }) => quote(unitName)).join(' ')} 2>&1) || kw_unknown "$kw_says"\nprintf '%s\\n' "$kw_says"`;

/** sh that prints the stamp of a unit and the digests of its files. */
function filesProbe(resource: ServiceResource, quote: (word: string) => string): string {
  const lines = [
    'kw=',
    `IFS= read -r kw <${quote(unitStamp(resource.unitName))}`,
    `printf 'stamp=%s\\n' "$kw"`,
    ...ownFiles(resource).flatMap(({ path }) => [
      'kw_says=',
      `[ -L ${quote(path)} ] || [ -d ${quote(path)} ] || kw_sha256 ${quote(path)}`,
      `printf 'file=%s\\n' "$kw_says"`,
    ]),
  ];
  return lines.join('\n');
}

/** Before the files of each unit. */
const NEXT = '--- files';

export default defineKind<ServiceResource, ServiceState>({
  kind: 'service',

  probe(resource, quote) {
    return `${show([resource], quote)}\n${filesProbe(resource, quote)}`;
  },
  together: {
    probe: (resources, quote) =>
      [show(resources, quote), ...resources.map((each) => `echo '${NEXT}'\n${filesProbe(each, quote)}`)].join('\n'),
    split(output, resources) {
      const [shown = '', ...files] = output.split(`${NEXT}\n`);
      const states = shown.trim().split(/\n{2,}/);
      // One that is missing would shift the others.
      if (states.length !== resources.length) return resources.map(() => '');
      return resources.map((_, index) => `${states[index]}\n${files[index] ?? ''}`);
    },
  },
  parse(output, resource) {
    const values = (key: string): string[] =>
      output
        .split('\n')
        .filter((line) => line.startsWith(`${key}=`))
        .map((line) => line.slice(key.length + 1));
    const [active] = values('ActiveState');
    if (!active) throw new Unknown(`systemctl said nothing of ${resource.unitName}: ${output.slice(0, 200)}`);
    const state: ServiceState = {
      active,
      starting: active === 'activating' && values('SubState')[0] !== 'auto-restart',
      unitFileState: values('UnitFileState')[0] ?? '',
      needsReload: values('NeedDaemonReload')[0] === 'yes',
      stamp: values('stamp')[0] ?? '',
      files: values('file'),
    };
    // Neither running nor stopped: a restart now would only throw it back, after a reboot say.
    if ((state.starting && resource.wait && resource.running) || active === 'deactivating') {
      throw new Unknown(`${resource.unitName} is ${active}`, { state });
    }
    return state;
  },

  diff(resource, observed, context) {
    const { stale, enable, run } = needs(resource, observed, context);
    const changes: Change[] = [];
    const add = (action: Change['action'], detail: string): void => {
      changes.push({ resource: resourceKey(resource), action, detail });
    };
    if (stale.length > 0) {
      add(observed.files.some((sum) => sum !== '') ? 'update' : 'create', stale.map(({ path }) => path).join(', '));
    }
    if (enable !== undefined) add('update', enable ? 'enable' : 'disable');
    if (run === 'stop') add('update', 'stop');
    if (run === 'start') add('start', `was ${observed.active}`);
    if (run === 'restart') add('restart', stale.length > 0 ? 'its unit changed' : 'something that it uses changed');
    if (run === 'reload') add('restart', 'reload: something that it uses changed');
    return changes;
  },

  // Mode 0600, as the CIS benchmark requires of a kubelet's unit: every user of the host can ask systemd for the unit anyway.
  fragment(resource, observed, context) {
    const { stale, enable, run } = needs(resource, observed, context);
    const { quote, payload } = context;
    const puts = stale.map(({ path, content }) => `put ${payload(content)} ${quote(path)} 0600 root root`);
    return {
      script: puts.join('\n'),
      timeoutMs: UNIT_TIMEOUT_MS,
      units: {
        unit: resource.unitName,
        daemonReload: stale.length > 0 || enable !== undefined || observed.needsReload,
        enable,
        resetFailed: observed.active === 'failed',
        run,
        wait: resource.wait,
        beforeStop: run === 'restart' || run === 'stop' ? resource.beforeStop : undefined,
        stamp: resource.running
          ? { path: unitStamp(resource.unitName), content: stampOf(resource, context) }
          : undefined,
      },
    };
  },

  ledgerEntries(resource, observed) {
    const { unitName, fills = [] } = resource;
    // systemd has a word on every unit that exists.
    const existed = observed !== null && observed.unitFileState !== '';
    const { active = '', unitFileState = '' } = observed ?? {};
    return [
      ...(existed ? [{ kind: 'unit-state', id: unitName, prior: { active, enabled: unitFileState } }] : []),
      { id: unitName, prior: { existed, ...(existed && fills.length > 0 ? { active } : {}) }, fills },
      ...ownFiles(resource).map(({ path }) => ({ id: fileId(unitName, path), prior: {}, replaces: [path] })),
    ];
  },
  owns: (resource, { kind, id }) => {
    const { unitName, fills = [] } = resource;
    if (kind === 'unit-state') return id === unitName;
    if (kind === 'leftover') return fills.some((path) => id === path || id.startsWith(`${path}/`));
    if (kind !== 'service') return false;
    return id === unitName || ownFiles(resource).some(({ path }) => id === fileId(unitName, path));
  },
  undoWhen: 'first',
  undo(entries, { quote }) {
    const units = entries.filter(({ id }) => !id.includes('#'));
    const files = entries.filter(({ id }) => id.includes('#'));
    // Of unknown times: a unit whose own file is ours.
    const isOurs = ({ id, prior }: LedgerEntry) =>
      prior ? prior['existed'] === false : files.some((file) => file.id === fileId(id, `${SYSTEMD_DIR}/${id}`));
    const ours = units.filter(isOurs);
    // One of the distribution that did not run before us and fills folders: it writes to them once more when it stops.
    const idle = units.filter(({ prior }) => prior?.['active'] === 'inactive');
    const names = ours.map(({ id }) => quote(id)).join(' ');
    const stopped = [...ours, ...idle].map(({ id }) => quote(id)).join(' ');
    return [
      ...(stopped !== '' ? [{ key: 'service:*', script: `${STOP}\nkw_stop_units ${stopped}` }] : []),
      ...ours.map((entry) => ({ key: entryKey(entry), script: disable(quote(entry.id)) })),
      ...files.map((entry) => ({
        key: entryKey(entry),
        script: `kw_take_back ${quote(entry.id.slice(entry.id.indexOf('#') + 1))}`,
      })),
      {
        key: 'service:*',
        script: `systemctl daemon-reload && { systemctl reset-failed -- ${names} 2>/dev/null || :; }`,
      },
    ];
  },
  digest: (resource) =>
    digestOfParts([filesDigest(resource), `${resource.enabled} ${resource.running}`, ...resource.restartOn]),
  restartsOn: (resource) => ({ references: resource.restartOn, stamp: unitStamp(resource.unitName) }),
});
