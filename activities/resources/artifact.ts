import type { Change } from '../../contracts/operation.ts';
import type { ResolvedFile } from '../artifacts/source.ts';
import { digestOfParts, octal, sha256, short } from './digest.ts';
import { absolute } from './path-check.ts';
import { ARTIFACT_STAMP_DIR, stampName } from './paths.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { fetchCall, TRANSFER_TIMEOUT_MS } from './transfer.ts';
import { Unknown } from './unknown.ts';

export interface ArtifactResource extends Resource {
  readonly kind: 'artifact';
  readonly file: ResolvedFile;
  readonly mode: number;
}

interface ArtifactState {
  /** Of what is there now; empty when there is nothing. */
  sha256: string;
  mode: number;
}

/** A plain binary that the host downloads itself; its sum is checked there before it takes its place. */
export function artifact(resolved: ResolvedFile, options: { path: string; mode?: number }): ArtifactResource {
  return { kind: 'artifact', id: absolute(options.path), file: resolved, mode: options.mode ?? 0o755 };
}

const stampOf = ({ id }: ArtifactResource): string => `${ARTIFACT_STAMP_DIR}/${stampName(id, sha256(id))}.stamp`;

export default defineKind<ArtifactResource, ArtifactState>({
  kind: 'artifact',

  // A binary of 100 MB is hashed only when size, mtime (ns) or inode are not those of the stamp.
  probe(resource, quote) {
    const path = quote(resource.id);
    return [
      `kw_stat -c '%a %U:%G %s %.9Y %i %F' -- ${path} || { echo absent; exit 0; }`,
      `case $kw_says in *' regular file' | *' regular empty file') ;; *) echo absent; exit 0 ;; esac`,
      `kw=\${kw_says% regular*} kw_sum=`,
      `read -r kw_sum kw_was <${quote(stampOf(resource))}`,
      `[ -n "$kw_sum" ] && [ "\${kw#* * }" = "$kw_was" ] || { kw_sha256 ${path}; kw_sum=$kw_says; }`,
      `printf '%s %s\\n' "$kw_sum" "$kw"`,
    ].join('\n');
  },
  parse(output) {
    if (output.trim() === 'absent') return { sha256: '', mode: 0 };
    const [sum = '', mode = '', owner = ''] = output.trim().split(' ');
    if (!/^[0-9a-f]{64}$/.test(sum) || !/^[0-7]+$/.test(mode) || owner === '')
      throw new Unknown(`stat and sha256sum said: ${output.slice(0, 200)}`);
    return { sha256: sum, mode: owner === 'root:root' ? Number.parseInt(mode, 8) : -1 };
  },

  diff(resource, observed) {
    const change = (action: Change['action'], detail: string): Change[] => [
      { resource: resourceKey(resource), action, detail },
    ];
    const { name, version, sha256: wanted } = resource.file;
    if (observed.sha256 === '') return change('create', `${name} ${version}`);
    if (observed.sha256 !== wanted) {
      return change('update', `${name} ${version}, content ${short(observed.sha256)} → ${short(wanted)}`);
    }
    return observed.mode === resource.mode ? [] : change('update', `mode → ${octal(resource.mode)}, owner → root`);
  },

  fragment(resource, observed, { quote }) {
    const { id, file, mode } = resource;
    if (observed.sha256 === file.sha256) {
      return { script: `chown root:root -- ${quote(id)}\nchmod -- ${octal(mode)} ${quote(id)}` };
    }
    const slash = id.lastIndexOf('/');
    const staging = quote(`${id.slice(0, slash)}/.${id.slice(slash + 1)}.kubewright-new`);
    return {
      lane: 'transfer',
      timeoutMs: TRANSFER_TIMEOUT_MS,
      script: [
        `kw_aside ${staging}`,
        fetchCall(file, staging, { quote, times: 1 }),
        `chown root:root -- ${staging}`,
        `chmod -- ${octal(mode)} ${staging}`,
        // Before the rename, which keeps all three: a crash in between costs one more download, never a wrong "unchanged".
        `kw_stamp ${quote(stampOf(resource))} ${quote(file.sha256)}" $(stat -c '%s %.9Y %i' -- ${staging})"`,
        `mv -f -T -- ${staging} ${quote(id)}`,
      ].join('\n'),
    };
  },

  ledgerEntries: ({ id }) => [{ kind: 'file', id, prior: {}, replaces: [id] }],
  places: ({ id }) => [id],
  digest: ({ file, mode }) => digestOfParts([file.sha256, octal(mode)]),
});
