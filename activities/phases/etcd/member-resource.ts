import { setTimeout as sleep } from 'node:timers/promises';
import { KubewrightError } from '../../../contracts/errors.ts';
import { quote } from '../../host/quote.ts';
import type { RemoteHost } from '../../host/types.ts';
import { digestOfParts, sha256 } from '../../resources/digest.ts';
import { type ApplyContext, defineKind, type Resource, resourceKey } from '../../resources/resource.ts';
import { answerOf } from '../../resources/unknown.ts';
import { type Bootstrap, bootstrapEnvironment } from './bootstrap.ts';
import { DISCOVERY_FILES } from './discovery.ts';
import { etcdBootstrap } from './environment.ts';
import { describeMember, initialCluster } from './members.ts';
import { type EtcdIntent, type EtcdStep, nextStep } from './next-step.ts';
import { type EtcdSite, type EtcdView, etcdctl, observeScript, parseView } from './observe.ts';

export interface EtcdMemberResource extends Resource, EtcdSite, Pick<EtcdIntent, 'token' | 'formed'> {
  readonly kind: 'etcd-member';
  /** How founders find each other. */
  readonly bootstrap: Bootstrap;
  /** Enters discovery and returns the variables of a founder; null: the list of founders. Absent: there is no discovery. */
  readonly enter?: ((host: RemoteHost) => Promise<Record<string, string> | null>) | undefined;
}

/**
 * The host is, or is about to become, a member of the cluster's etcd: decides how a host without data begins and puts it
 * into `bootstrapFile`. Comes after everything that etcdctl needs and before the service.
 */
export function etcdMember(
  site: EtcdSite,
  founding: Pick<EtcdMemberResource, 'token' | 'formed' | 'bootstrap' | 'enter'>,
): EtcdMemberResource {
  return { kind: 'etcd-member', id: site.self.name, ...site, ...founding };
}

/** How long a host may wait for its turn and for etcd to take a change, ms. */
const JOIN_MS = 150_000;
const PAUSE_MS = 2_000;

export default defineKind<EtcdMemberResource, EtcdView>({
  kind: 'etcd-member',
  probe: (resource, quoteWord) => observeScript(resource, quoteWord),
  parse: parseView,

  diff(resource, view) {
    const step = nextStep(view, { ...resource, waitedMs: 0 });
    if (step.do === 'none') return [];
    if (!view.othersQueried) return [{ resource: resourceKey(resource), action: 'create', detail: 'becomes a member' }];
    const action = step.do === 'found' || step.do === 'add' || step.do === 'join' ? 'create' : 'update';
    return [{ resource: resourceKey(resource), action, detail: describeStep(step) }];
  },

  async apply(resource, _observed, context) {
    const started = Date.now();
    for (;;) {
      // What the probe saw is from before etcdctl and the certificates were there.
      const { stdout } = await context.host.script(observeScript(resource, quote), [], { timeoutMs: 30_000 });
      const answer = answerOf(() => parseView(stdout));
      const waitedMs = Date.now() - started;
      if (!answer.known) {
        if (waitedMs > JOIN_MS) throw noMember(resource, 'its state cannot be found out', answer.why);
        context.onStep(`apply ${resourceKey(resource)}: ${answer.why.slice(0, 200)}`);
        await sleep(PAUSE_MS, undefined, { signal: context.signal });
        continue;
      }
      const view = answer.state;
      const step = nextStep(view, { ...resource, waitedMs });
      context.onStep(`apply ${resourceKey(resource)}: ${describeStep(step)}`);
      const printed = await carryOut(step, resource, view, context.host);
      if (printed === 'begins') return;
      if (waitedMs > JOIN_MS) throw noMember(resource, describeStep(step), printed);
      if (printed !== 'done') await sleep(PAUSE_MS, undefined, { signal: context.signal });
      context.signal.throwIfAborted();
    }
  },

  ledgerEntries: ({ bootstrapFile, enter }) =>
    [bootstrapFile, ...(enter ? Object.values(DISCOVERY_FILES) : [])].map((id) => ({
      ...{ kind: 'file', id, prior: {} },
      replaces: [id],
    })),
  // Of what etcd.service must be restarted for when it changes, only this: another list of hosts is no reason.
  digest: ({ dataDir }) => digestOfParts([dataDir]),
});

/** `begins`: the service can start. `done`: look again at once. Anything else is why it has to wait a little. */
async function carryOut(
  step: EtcdStep,
  site: EtcdMemberResource,
  view: EtcdView,
  host: ApplyContext['host'],
): Promise<string> {
  const { self, others, token } = site;
  const members = (...args: string[]) => change(host, site, [...view.healthy], args);
  switch (step.do) {
    case 'none':
      return 'begins';
    case 'found':
      return writeBootstrap(site, host, {
        state: 'new',
        token,
        finds: (await site.enter?.(host)) ?? bootstrapEnvironment(site.bootstrap, [...others, self].sort(byName)),
      });
    case 'join':
      return writeBootstrap(site, host, {
        state: 'existing',
        token,
        finds: bootstrapEnvironment(undefined, initialCluster(step.members, [self, ...others])),
      });
    case 'add':
      return members('add', self.name, `--peer-urls=${self.peerUrl}`, '--learner');
    case 'remove':
      return members('remove', step.member.id);
    case 'put-aside':
      await host.script(PUT_ASIDE, [`${site.dataDir}/member`], { timeoutMs: 90_000 });
      return 'done';
    case 'wait':
      return step.why;
    case 'refuse':
      throw noMember(site, step.why, `members: ${(view.members ?? []).map(describeMember).join(', ') || 'none known'}`);
  }
}

/**
 * Puts the way in which etcd begins into `bootstrapFile`, unless an earlier attempt, which was interrupted, has put the same there. An
 * etcd of an earlier attempt that has no data yet is stopped before: it would go on by its own list of members, and its data
 * would be of another cluster. `done`: it has written data by now.
 */
async function writeBootstrap(
  { bootstrapFile, dataDir }: EtcdSite,
  host: ApplyContext['host'],
  begin: Parameters<typeof etcdBootstrap>[0],
): Promise<'begins' | 'done'> {
  const content = etcdBootstrap(begin);
  const args = [`${dataDir}/member/wal`, bootstrapFile, sha256(content)];
  const { stdout } = await host.script(STOP_WITHOUT_DATA, args, { timeoutMs: 90_000 });
  if (stdout.trim() === 'data') return 'done';
  if (stdout.trim() !== 'same') await host.upload(bootstrapFile, content, { mode: 0o644 });
  return 'begins';
}

const STOP_WITHOUT_DATA = `
if [ "$(sha256sum 2>/dev/null <"$2" | cut -c 1-64)" = "$3" ]; then echo same; exit 0; fi
systemctl stop etcd.service 2>/dev/null || :
for wal in "$1"/*.wal; do [ ! -e "$wal" ] || { echo data; exit 0; }; done
echo none
`;

/** Kept under another name, one generation: data is never deleted on the strength of a rule. */
const PUT_ASIDE = `
systemctl stop etcd.service 2>/dev/null || :
rm -rf -- "$1.removed"
[ ! -d "$1" ] || mv -T -- "$1" "$1.removed"
`;

/** etcd refuses what would endanger the majority, and for a few seconds after a member came or went: then it is repeated. */
async function change(host: RemoteHost, site: EtcdSite, urls: string[], args: readonly string[]): Promise<string> {
  const argv = etcdctl(urls, site.tls, 'member', ...args);
  const { code, stderr } = await host.exec(argv, { okCodes: 'any', timeoutMs: 15_000 });
  return code === 0 ? 'done' : `etcdctl member ${args[0]}: ${stderr.trim().split('\n').at(-1) ?? ''}`;
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

function describeStep(step: EtcdStep): string {
  switch (step.do) {
    case 'none':
      return 'is a member';
    case 'found':
      return 'begins as one of the first members';
    case 'add':
      return 'becomes a member of the cluster that the others form';
    case 'join':
      return 'begins as the member that the others expect';
    case 'put-aside':
      return `its data is put aside: ${step.why}`;
    case 'remove':
      return `${describeMember(step.member)} is removed: ${step.why}`;
    case 'wait':
    case 'refuse':
      return step.why;
  }
}

function noMember({ self }: EtcdSite, why: string, evidence: string): KubewrightError {
  return new KubewrightError('ETCD_CANNOT_JOIN', `${self.name} cannot become a member of etcd: ${why}`, { evidence });
}
