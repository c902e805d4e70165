import { entryKey, type Trace } from './ledger.ts';
import { defineUndoing } from './resource.ts';

const ZONE = /^[A-Za-z0-9_-]{1,40}$/;
export const FIREWALLD_ZONE = 'firewalld-zone';

const fileOf = (zone: string): string => `/etc/firewalld/zones/${zone}.xml`;

/**
 * What firewalld writes at our first rule of a zone: its file, which overrides that of the distribution, and a backup of what the file was
 * before the last change. Both are set aside as they are. Pure.
 */
export const zoneTrace = (zone: string): Trace => ({
  kind: FIREWALLD_ZONE,
  id: zone,
  prior: {},
  replaces: [fileOf(zone), `${fileOf(zone)}.old`],
});

/**
 * `kw_zone <zone> <file>`: the backup comes back as it was, or goes. So does the file where it says nothing else than before: compared is how
 * firewalld itself writes what was there (a port that comes and goes makes it write). A file that others changed since stays.
 */
const TAKE_BACK = `kw_zone() {
  kw_take_back "$2.old"
  [ -e "$2" ] || return 0
  kw_copy=$(kw_copy_of "$2")
  kw_was=$KW_TMP/firewalld
  rm -rf -- "$kw_was"
  mkdir -p -- "$kw_was/zones"
  kw_from=$kw_copy
  [ -e "$kw_from" ] || kw_from=/usr/lib/firewalld/zones/$1.xml
  [ ! -e "$kw_copy" ] || cp -- "$kw_copy" "$kw_was/zones/$1.xml"
  for kw_verb in add remove; do
    firewall-offline-cmd --system-config="$kw_was" --zone="$1" "--$kw_verb-port=1/tcp" >/dev/null 2>&1 || break
  done
  if cmp -s -- "$2" "$kw_from" || cmp -s -- "$2" "$kw_was/zones/$1.xml"; then kw_take_back "$2"; fi
}`;

/**
 * firewalld keeps the chains of a zone that was used once until it loads its configuration again. That would drop what is only in force: it
 * is done where there is nothing of the kind. Interfaces stay in their zones. Behind a name stands what it is at present: `(active)`, since
 * firewalld 2 `(default, active)`, in what lasts `(default)`.
 */
const RELOAD = `kw_config() {
  for kw_list in --list-all-zones --list-all-policies '--direct --get-all-rules'; do firewall-cmd "$@" $kw_list 2>&1; done |
    sed '/^[^ ]/s/ ([a-z, ]*)$//; /^  interfaces:/d'
}
firewall-cmd --state >/dev/null 2>&1 || exit 0
[ "$(kw_config)" != "$(kw_config --permanent)" ] || firewall-cmd --quiet --reload`;

/** A zone of firewalld, after our rules were taken out of it. */
export default defineUndoing({
  kind: FIREWALLD_ZONE,
  undo(entries, { quote }) {
    const zones = entries.filter(({ id }) => ZONE.test(id));
    const steps = zones.map((entry) => ({
      key: entryKey(entry),
      script: `${TAKE_BACK}\nkw_zone ${quote(entry.id)} ${quote(fileOf(entry.id))}`,
    }));
    return steps.length === 0 ? [] : [...steps, { key: entryKey(zones[0]!), script: RELOAD }];
  },
});
