import type { ResolvedFile } from '../../artifacts/source.ts';
import { CURL } from '../../host/direct.ts';
import { digestOfParts, sha256 } from '../../resources/digest.ts';
import { absolute } from '../../resources/path-check.ts';
import { IMAGE_STAMP_DIR, stampName } from '../../resources/paths.ts';
import { defineKind, type Resource, resourceKey } from '../../resources/resource.ts';
import { fetchCall, TRANSFER_TIMEOUT_MS } from '../../resources/transfer.ts';
import { Unknown } from '../../resources/unknown.ts';

/** Files on the host that authenticate it to the registry. */
export interface RegistryTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface RegistryImageResource extends Resource {
  readonly kind: 'registry-image';
  readonly file: ResolvedFile;
  /** Where it is for machines of several architectures: all of its files, `file` is the first. The tag is then an index of them. */
  readonly platforms?: readonly { readonly arch: string; readonly file: ResolvedFile }[];
  /** `name:port`. */
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
  readonly tls: RegistryTls;
}

interface ImageState {
  /** sha256 of the tar that was pushed last. */
  pushed: string;
  /** Manifest digest at that time, and what the registry has under the tag now. */
  digest: string;
  present: string;
}

/** Types of manifests that a tag may have: of one platform, or an index of several. */
const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.oci.image.index.v1+json',
].join(', ');

/** An image in a registry, pushed by the host from an OCI layout in a tar, with curl over the distribution API. */
export function registryImage(options: {
  file: ResolvedFile;
  platforms?: readonly { arch: string; file: ResolvedFile }[];
  registry: string;
  repository: string;
  tag: string;
  tls: RegistryTls;
}): RegistryImageResource {
  const { registry, repository, tag, tls } = options;
  if (!/^[a-z0-9.-]+(:[0-9]{1,5})?$/.test(registry)) throw new Error(`not a registry: ${JSON.stringify(registry)}`);
  if (!/^[a-z0-9]+([._/-][a-z0-9]+)*$/.test(repository)) throw new Error(`not a repository: ${repository}`);
  if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(tag)) throw new Error(`not a tag: ${JSON.stringify(tag)}`);
  for (const { arch } of options.platforms ?? [])
    if (!/^[a-z0-9]{1,20}$/.test(arch)) throw new Error(`not an architecture: ${JSON.stringify(arch)}`);
  for (const path of [tls.ca, tls.cert, tls.key]) absolute(path);
  return { kind: 'registry-image', id: `${registry}/${repository}:${tag}`, ...options };
}

const base = ({ id }: RegistryImageResource): string => `${IMAGE_STAMP_DIR}/${stampName(id, sha256(id))}`;

/** What was pushed, by its sum: of the one file, or of all of them together. */
const sumOf = ({ file, platforms }: RegistryImageResource): string =>
  platforms ? sha256(platforms.map((each) => `${each.arch} ${each.file.sha256}\n`).join('')) : file.sha256;

/** After what the registry says of one image. */
const NEXT = '--- next';

/** sh filter: the digests that HEAD requests were answered with, and after each the status. */
const DIGESTS = `tr -d '\\r' | sed -n -e 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p' -e '/^${NEXT}/p'`;

/** One answer of it. */
const ANSWER = new RegExp(`([^]*?)${NEXT} (\\d{3})\\n`, 'g');

const manifestUrl = ({ registry, repository, tag }: RegistryImageResource): string =>
  `https://${registry}/v2/${repository}/manifests/${tag}`;

const curl = ({ tls }: RegistryImageResource, quote: (word: string) => string): string =>
  `${CURL} --silent --head --max-time 5 --write-out '${NEXT} %{http_code}\\n' --cacert ${quote(tls.ca)} --cert ${quote(tls.cert)} --key ${quote(tls.key)} -H ${quote(`Accept: ${MANIFEST_TYPES}`)}`;

/** Those that one curl asks for over one connection. */
function byServer(resources: readonly RegistryImageResource[]): RegistryImageResource[][] {
  const groups = new Map<string, RegistryImageResource[]>();
  for (const each of resources) {
    const { registry, tls } = each;
    const key = JSON.stringify([registry, tls.ca, tls.cert, tls.key]);
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()];
}

export default defineKind<RegistryImageResource, ImageState>({
  kind: 'registry-image',

  probe(resource, quote) {
    return [
      `kw_stat -L -c %F -- ${quote(`${base(resource)}.stamp`)} || { echo absent; exit 0; }`,
      `read -r kw_sum kw_digest <${quote(`${base(resource)}.stamp`)} || kw_unknown ${quote(`${base(resource)}.stamp cannot be read`)}`,
      `kw_says=$(${curl(resource, quote)} --show-error -- ${quote(manifestUrl(resource))} 2>&1) || kw_unknown "$kw_says"`,
      `kw_now=$(printf '%s\\n' "$kw_says" | ${DIGESTS})`,
      // Only these two are answers about the image.
      `case $kw_now in *'${NEXT} 200' | *'${NEXT} 404') ;; *) kw_unknown ${quote(`the registry ${resource.registry} answers HTTP `)}"\${kw_now##* }" ;; esac`,
      `printf '%s %s %s\\n' "$kw_sum" "$kw_digest" "\${kw_now%%-*}"`,
    ].join('\n');
  },
  together: {
    probe: (resources, quote) =>
      byServer(resources)
        .map((alike) => {
          const asks = alike.flatMap((each) => [
            'kw=',
            `IFS= read -r kw <${quote(`${base(each)}.stamp`)} || [ ! -e ${quote(`${base(each)}.stamp`)} ] || kw_unknown ${quote(`${base(each)}.stamp cannot be read`)}`,
            `printf 'pushed %s %s\\n' ${quote(each.id)} "$kw"`,
            `[ -z "$kw" ] || set -- "$@" ${quote(manifestUrl(each))}`,
          ]);
          return ['set --', ...asks, `[ $# = 0 ] || ${curl(alike[0]!, quote)} -- "$@" | ${DIGESTS}`].join('\n');
        })
        .join('\n'),
    split(output, resources) {
      const stamps = new Map([...output.matchAll(/^pushed (\S+) (\S.*)$/gm)].map(([, id, stamp]) => [id, stamp]));
      const queried = byServer(resources).flatMap((alike) => alike.filter(({ id }) => stamps.has(id)));
      // curl goes on to the next one where the registry does not answer, or not about the image: unknown, and asked again.
      const answers = [...output.replaceAll(/^pushed .*\n/gm, '').matchAll(ANSWER)];
      const present = new Map(
        queried.map(({ id }, index) => {
          const [, digest, status = ''] = answers[index] ?? [];
          return [id, ['200', '404'].includes(status) ? `${stamps.get(id)} ${digest?.trim() ?? ''}\n` : ''];
        }),
      );
      const pushedIds = new Set([...output.matchAll(/^pushed (\S+) /gm)].map(([, id]) => id));
      return resources.map(({ id }) => present.get(id) ?? (pushedIds.has(id) ? 'absent\n' : ''));
    },
  },
  parse(output) {
    if (output.trim() === 'absent') return { pushed: '', digest: '', present: '' };
    const [pushed = '', digest = '', present = '', ...more] = output.trim().split(' ');
    if (!/^[0-9a-f]{64}$/.test(pushed) || more.length > 0) throw new Unknown(`the probe said: ${output.slice(0, 200)}`);
    return { pushed, digest, present };
  },

  diff(resource, { pushed, digest, present }) {
    const change = (action: 'create' | 'update', detail: string) => [
      { resource: resourceKey(resource), action, detail },
    ];
    if (pushed === '') return change('create', `push ${resource.file.name}`);
    if (pushed !== sumOf(resource)) return change('update', `push ${resource.file.name}, its file changed`);
    return present === digest ? [] : change('update', `push ${resource.file.name}: the registry does not have it`);
  },

  fragment(resource, _observed, { quote }) {
    const { file, platforms, registry, repository, tag, tls } = resource;
    const at = (name: string): string => quote(`${base(resource)}.d/${name}`);
    const ends = [tls.ca, tls.cert, tls.key].map(quote);
    const server = [`https://${registry}`, repository].map(quote);
    /** Downloads a file and pushes what is in it, under a reference. */
    const push = (from: ResolvedFile, reference: string) => [
      `mkdir -p -- ${at('layout')}`,
      fetchCall(from, at('image.tar'), { quote, times: 2 }),
      `tar -xf ${at('image.tar')} --no-same-owner -C ${at('layout')}`,
      `push_image ${[at('layout'), ...server, reference, ...ends].join(' ')}`,
    ];
    /** Each by its digest, then the index of them under the tag. */
    const pushAll = (all: readonly { arch: string; file: ResolvedFile }[]) => [
      'kw_index=',
      ...all.flatMap((each) => [
        ...push(each.file, "''"),
        `index_image ${quote(each.arch)}`,
        `rm -rf -- ${at('layout')} ${at('image.tar')}`,
      ]),
      `push_index ${[at('index.json'), ...server, quote(tag), ...ends].join(' ')}`,
    ];
    return {
      lane: 'transfer',
      timeoutMs: TRANSFER_TIMEOUT_MS,
      script: [
        `kw_aside ${quote(`${base(resource)}.d`)}`,
        `mkdir -p -- ${at('')}`,
        ...(platforms ? pushAll(platforms) : push(file, quote(tag))),
        'kw_clear',
        `kw_stamp ${quote(`${base(resource)}.stamp`)} ${quote(sumOf(resource))}" sha256:$kw_manifest"`,
      ].join('\n'),
    };
  },

  digest: (resource) => digestOfParts([sumOf(resource), resource.id]),
});
