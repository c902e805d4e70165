import { sha256 } from './digest.ts';
import { entryKey } from './ledger.ts';
import { defineKind, type Resource, resourceKey } from './resource.ts';
import { Unknown } from './unknown.ts';

export interface SwapUnitsResource extends Resource {
  readonly kind: 'swap-units';
}

/** A unit that would bring swap back at the next boot, and the file that says so. */
interface SwapUnit {
  unit: string;
  file: string;
}

interface SwapUnitsState {
  units: SwapUnit[];
}

/**
 * No unit brings swap back: `.swap` units of any origin (administrators, zram-generator, GPT), and services that switch swap
 * on (zramswap, dphys-swapfile, zram-config, one's own with swapon). They are masked; what stood in the place of the mask is
 * set aside. Units that systemd makes of /etc/fstab are `swap-off`'s: they go with their lines.
 */
export function swapUnitsMasked(): SwapUnitsResource {
  return { kind: 'swap-units', id: 'swap' };
}

const MASKS = '/etc/systemd/system';
/** Where systemd looks for units, without the folders of generators. */
const UNIT_FOLDERS = [
  MASKS,
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];
const GENERATED = ['generator', 'generator.early', 'generator.late'].map((name) => `/run/systemd/${name}`);
/** The configuration of zram-generator: it makes `dev-zram0.swap` of a section `[zram0]`, at boot only. */
const ZRAM_FOLDERS = ['/etc/systemd', '/run/systemd', '/usr/local/lib/systemd', '/usr/lib/systemd'];

/** A service whose program has swap or zram in its name, or that calls swapon (extended regular expression). */
const SERVICE =
  '^ExecStart(Pre|Post)?=([-@:+!|]*([^[:space:]]*/)?[^[:space:]/]*(swap|zram)[^[:space:]/]*([[:space:]]|$)|.*[[:space:]/"\'](swapon|zramctl)([[:space:]"\']|$))';

/** Most units that are looked at, and named. */
const MOST_UNITS = 32;
/** What a unit of this kind may be called: it goes into scripts and into the ledger. */
const UNIT_NAME = /^[A-Za-z0-9:_.\\-]{1,200}\.(swap|service)$/;

const each = (folders: readonly string[], suffix: string): string =>
  folders.map((folder) => `${folder}/${suffix}`).join(' ');

const PROBE = `kw_bring() {
  [ "$(readlink "${MASKS}/$1" 2>/dev/null)" = /dev/null ] || printf 'unit %s %s\\n' "$1" "$2"
}
for kw_f in ${each([...UNIT_FOLDERS, ...GENERATED], '*.swap')}; do
  [ -f "$kw_f" ] || continue
  grep -qs '^SourcePath=/etc/fstab' "$kw_f" || kw_bring "\${kw_f##*/}" "$kw_f"
done
for kw_f in ${ZRAM_FOLDERS.map((folder) => `${folder}/zram-generator.conf ${folder}/zram-generator.conf.d/*.conf`).join(' ')}; do
  [ -f "$kw_f" ] || continue
  sed -n 's/^\\[\\(zram[0-9]*\\)\\].*/\\1/p' "$kw_f" | while read -r kw_d; do kw_bring "dev-$kw_d.swap" "$kw_f"; done
done
grep -HEs -- ${quoted(SERVICE)} ${each([...UNIT_FOLDERS, ...GENERATED], '*.service')} | grep -v swapoff | cut -d : -f 1 | sort -u | head -n ${MOST_UNITS} | while read -r kw_f; do
  kw_u=\${kw_f##*/}
  case $kw_u in *@.service) continue ;; esac
  kw_s=$(systemctl is-enabled "$kw_u" 2>&1)
  case $kw_s in
    enabled*|linked*|alias|generated) kw_bring "$kw_u" "$kw_f" ;;
    masked*) ;;
    *' '*|'') echo "unknown $kw_u: $kw_s" ;;
    *) ! systemctl -q is-active "$kw_u" || kw_bring "$kw_u" "$kw_f" ;;
  esac
done
echo known`;

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export default defineKind<SwapUnitsResource, SwapUnitsState>({
  kind: 'swap-units',
  // What runs again needs its own files back.
  undoWhen: 'last',
  probe: () => PROBE,
  parse(output) {
    const units = new Map<string, SwapUnit>();
    const lines = output.split('\n');
    const unknown = lines.find((line) => line.startsWith('unknown '));
    if (unknown !== undefined || !lines.includes('known')) throw new Unknown((unknown ?? output).slice(0, 200));
    for (const line of lines) {
      const [word, unit = '', ...file] = line.split(' ');
      if (word !== 'unit' || !UNIT_NAME.test(unit) || units.size >= MOST_UNITS) continue;
      if (!units.has(unit)) units.set(unit, { unit, file: file.join(' ').slice(0, 200) });
    }
    return { units: [...units.values()] };
  },
  diff: (resource, { units }) =>
    units.map(({ unit, file }) => ({
      resource: resourceKey(resource),
      action: 'update',
      detail: `mask ${unit}, which brings swap back (${file})`,
    })),
  fragment: (_resource, { units }, { quote }) => ({
    script: [
      ...units.flatMap(({ unit }) => [
        // Before the mask: a masked unit can be stopped, but its ExecStop is gone, and zram would stay.
        `timeout 60 systemctl stop ${quote(unit)} 2>/dev/null || :`,
        `ln -s -f -T -- /dev/null ${quote(`${MASKS}/.${unit}.kubewright-new`)}`,
        `mv -f -T -- ${quote(`${MASKS}/.${unit}.kubewright-new`)} ${quote(`${MASKS}/${unit}`)}`,
      ]),
      'systemctl daemon-reload',
    ].join('\n'),
    timeoutMs: 60_000 + units.length * 10_000,
  }),
  // One entry a unit: others may come later, and each goes back by itself.
  ledgerEntries: (_resource, observed) =>
    (observed?.units ?? []).map(({ unit }) => ({ id: unit, prior: {}, replaces: [`${MASKS}/${unit}`] })),
  owns: (_resource, { kind }) => kind === 'swap-units',
  undo: (entries, { quote }) =>
    entries.map((entry) => ({
      key: entryKey(entry),
      script: [
        `kw_take_back ${quote(`${MASKS}/${entry.id}`)} || exit 1`,
        'systemctl daemon-reload',
        // As at the next boot; what is not wanted then is not started.
        `case $(systemctl is-enabled ${quote(entry.id)} 2>/dev/null) in`,
        `  enabled*|linked*|alias|generated) timeout 60 systemctl start ${quote(entry.id)} 2>/dev/null || kw_tell kept ${quote(`${entry.id} does not start again`)} ;;`,
        'esac',
      ].join('\n'),
    })),
  digest: () => sha256('swap-units'),
});
