import { FILE_SYSTEMS_FUNCTION } from '../kube/eviction.ts';

/**
 * What one host knows of itself, in one round trip and without a change: free space, memory, units, certificates. Arguments:
 * 1 units (words), 2 globs of certificates (words), 3 globs of kubeconfigs (words), then `<use> <folder>` pairs as
 * `file_systems` takes them. Lines of words with tabs between them; `cert <path> <base64 of DER>`.
 */
export const HOST_HEALTH_SCRIPT = `set +eu
export LC_ALL=C
units=$1 certificates=$2 kubeconfigs=$3
shift 3
${FILE_SYSTEMS_FUNCTION}
file_systems "$@"
for unit in $units; do printf 'unit\\t%s\\t' "$unit"; systemctl is-active "$unit" 2>/dev/null | head -n 1 | grep . || echo unknown; done
# Unquoted: globs. The first certificate of each file.
for path in $certificates; do
  [ -r "$path" ] || continue
  printf 'cert\\t%s\\t%s\\n' "$path" "$(sed -n '/-BEGIN CERT/,/-END CERT/{/-END CERT/q;/-----/!p}' "$path" | tr -d '\\n\\r ')"
done
for path in $kubeconfigs; do
  [ -r "$path" ] || continue
  text=$(sed -n 's/^ *client-certificate-data: *//p' "$path" | head -n 1 | tr -d '"' | base64 -d 2>/dev/null)
  [ -z "$text" ] || printf 'cert\\t%s\\t%s\\n' "$path" "$(printf '%s\\n' "$text" | sed -n '/-BEGIN CERT/,/-END CERT/{/-END CERT/q;/-----/!p}' | tr -d '\\n\\r ')"
done
echo end
`;
