import { CURL } from '../host/direct.ts';
import { shCode } from './sh-code.ts';

/**
 * sh function: push an OCI layout of one platform into a registry. Blobs that are there already are not sent again. A
 * registry that has just been started gets ten seconds to listen. Sets `kw_manifest` to the digest (bare hex).
 */
export const PUSH_FUNCTIONS = `kw_refused() {
  kw_fail ${shCode('IMAGE_PUSH_FAILED')} "$1"
  printf '%s\\n' "$2"
  exit 1
}
# push_image <layout> <https://registry> <repository> <tag> <ca> <cert> <key>
push_image() {
  kw_base=$2/v2/$3
  kw_ca=$5 kw_cert=$6 kw_key=$7
  kw_curl() {
    ${CURL} --silent --show-error --cacert "$kw_ca" --cert "$kw_cert" --key "$kw_key" -H 'Expect:' \\
      --connect-timeout 10 --retry 10 --retry-delay 1 --retry-connrefused --speed-limit 1 --speed-time 60 "$@"
  }
  kw_list=$1/index.json
  for kw_depth in 1 2; do
    kw_manifest=$(tr -d ' \\t\\r\\n' <"$kw_list" | grep -o '"digest":"sha256:[0-9a-f]\\{64\\}"' | head -n 1 | cut -c18-81)
    kw_file=$1/blobs/sha256/$kw_manifest
    [ -f "$kw_file" ] || kw_refused "$3:$4 is not an OCI image layout" "no blob $kw_manifest"
    grep -q '"manifests"' "$kw_file" || break
    kw_list=$kw_file
  done
  kw_type=$(grep -Eo 'application/vnd[.](oci[.]image[.]manifest[.]v1|docker[.]distribution[.]manifest[.]v2)[+]json' "$kw_list" | head -n 1)
  for kw_blob in "$1"/blobs/sha256/*; do
    kw_hex=\${kw_blob##*/}
    [ "$kw_hex" != "$kw_manifest" ] || continue
    kw_code=$(kw_curl --head --output /dev/null --write-out '%{http_code}' -- "$kw_base/blobs/sha256:$kw_hex" 2>"$kw_blob.err") || \\
      kw_refused "the registry $2 does not answer" "$(cat "$kw_blob.err")"
    rm -f -- "$kw_blob.err"
    [ "$kw_code" != 200 ] || continue
    kw_head=$(kw_curl --request POST -H 'Content-Length: 0' --dump-header - --output /dev/null -- "$kw_base/blobs/uploads/" | tr -d '\\r')
    kw_to=$(printf '%s\\n' "$kw_head" | sed -n 's/^[Ll]ocation: //p')
    case $kw_to in
      http*) ;;
      /*) kw_to=$2$kw_to ;;
      *) kw_refused "the registry $2 takes no upload for $3" "$kw_head" ;;
    esac
    case $kw_to in *[?]*) kw_to="$kw_to&" ;; *) kw_to="$kw_to?" ;; esac
    kw_answer=$(kw_curl --request PUT -H 'Content-Type: application/octet-stream' --upload-file "$kw_blob" \\
      --write-out '\\n%{http_code}' -- "\${kw_to}digest=sha256:$kw_hex" 2>&1) || :
    case $kw_answer in *201) ;; *) kw_refused "the registry $2 refused a layer of $3:$4" "$kw_answer" ;; esac
  done
  kw_answer=$(kw_curl --request PUT -H "Content-Type: $kw_type" --data-binary "@$kw_file" \\
    --write-out '\\n%{http_code}' -- "$kw_base/manifests/$4" 2>&1) || :
  case $kw_answer in *201) ;; *) kw_refused "the registry $2 refused the manifest of $3:$4" "$kw_answer" ;; esac
}`;
