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
# put_manifest <file> <type> <https://registry> <repository> <reference>
put_manifest() {
  kw_answer=$(kw_curl --request PUT -H "Content-Type: $2" --data-binary "@$1" \\
    --write-out '\\n%{http_code}' -- "$3/v2/$4/manifests/$5" 2>&1) || :
  case $kw_answer in *201) ;; *) kw_refused "the registry $3 refused the manifest of $4:$5" "$kw_answer" ;; esac
}
# push_image <layout> <https://registry> <repository> <tag, or nothing: by its digest> <ca> <cert> <key>
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
  put_manifest "$kw_file" "$kw_type" "$2" "$3" "\${4:-sha256:$kw_manifest}"
}
# index_image <architecture>: adds what push_image has pushed last to the index in kw_index
index_image() {
  kw_entry=$(printf '{"mediaType":"%s","digest":"sha256:%s","size":%s,"platform":{"architecture":"%s","os":"linux"}}' \\
    "$kw_type" "$kw_manifest" "$(wc -c <"$kw_file" | tr -d ' ')" "$1")
  kw_index=\${kw_index:+$kw_index,}$kw_entry
}
# push_index <file> <https://registry> <repository> <tag> <ca> <cert> <key>: the index in kw_index
push_index() {
  kw_type=application/vnd.oci.image.index.v1+json
  printf '{"schemaVersion":2,"mediaType":"%s","manifests":[%s]}' "$kw_type" "$kw_index" >"$1"
  kw_manifest=$(sha256sum <"$1" | cut -c 1-64)
  put_manifest "$1" "$kw_type" "$2" "$3" "$4"
}`;
