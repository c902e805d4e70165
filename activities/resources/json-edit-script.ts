/**
 * POSIX awk that changes one member of a JSON object and leaves everything else as it stands, byte for byte: hosts need not
 * have a program that knows JSON. Environment: `KW_PATH`, the keys from the top down, one JSON text a line; `KW_VALUE`, the new
 * value as JSON text, empty: the member goes; `KW_ONLY_EMPTY`, set: it goes only where its value is `{}`. `KW_COMPACT`, set:
 * prints the text without white space instead. Exit code 3: this is no JSON object.
 */
const JSON_AWK = `
function bad(why) { print why > "/dev/stderr"; failed = 1; exit 3 }
function space() { while (P <= N && index(" \\t\\r\\n", substr(T, P, 1)) > 0) P++ }
function word(   from, c) {
  from = P
  if (substr(T, P, 1) != "\\"") bad("a name is missing at character " P)
  P++
  while ((c = substr(T, P, 1)) != "\\"") {
    if (c == "") bad("a text does not end")
    P += (c == "\\\\" ? 2 : 1)
  }
  P++
  return substr(T, from, P - from)
}
function value(   c, depth) {
  depth = 0
  do {
    space()
    c = substr(T, P, 1)
    if (c == "") bad("the text ends early")
    if (c == "\\"") word()
    else if (index("{[", c) > 0) { depth++; P++ }
    else if (index("}]", c) > 0) { depth--; P++ }
    else if (depth > 0 && index(",:", c) > 0) P++
    else while (P <= N && index(",:{}[]\\" \\t\\r\\n", substr(T, P, 1)) == 0) P++
  } while (depth > 0)
}
function edit(level,   count, before, key, from, to, rest) {
  space()
  if (substr(T, P, 1) != "{") { if (level == 1) bad("no object"); return }
  P++
  count = 0
  before = P
  while (1) {
    space()
    if (substr(T, P, 1) == "}") break
    if (count > 0) {
      if (substr(T, P, 1) != ",") bad("a comma is missing at character " P)
      P++
      space()
    }
    key = word()
    space()
    if (substr(T, P, 1) != ":") bad("a colon is missing at character " P)
    P++
    space()
    from = P
    if (key == K[level] && level < D) { edit(level + 1); return }
    value()
    if (key == K[level]) {
      to = P
      rest = substr(T, to)
      if (V != "") T = substr(T, 1, from - 1) V rest
      else if (E == "" || substr(T, from, to - from) ~ /^[{][ \\t\\r\\n]*[}]$/) {
        if (count == 0) sub(/^[ \\t\\r\\n]*,/, "", rest)
        T = substr(T, 1, before - 1) rest
      }
      return
    }
    before = P
    count++
  }
  if (V != "" && level == D) T = substr(T, 1, before - 1) (count > 0 ? "," : "") "\\n  " K[level] ": " V substr(T, before)
}
function compact(   c, from, out) {
  out = ""
  while (1) {
    space()
    if (P > N) return out
    c = substr(T, P, 1)
    if (c == "\\"") out = out word()
    else { out = out c; P++ }
  }
}
{ T = T $0 "\\n" }
END {
  if (failed) exit 3
  N = length(T)
  P = 1
  if (ENVIRON["KW_COMPACT"] != "") { print compact(); exit }
  D = split(ENVIRON["KW_PATH"], K, "\\n")
  V = ENVIRON["KW_VALUE"]
  value()
  space()
  if (P <= N) bad("more than one value")
  P = 1
  E = ENVIRON["KW_ONLY_EMPTY"]
  edit(1)
  if (failed) exit 3
  printf "%s", T
}
`;

/**
 * sh functions, from standard input to standard output: `kw_json_edit <keys> <value>` changes a member (see JSON_AWK; with a third word
 * only one that is empty goes), `kw_json_compact` leaves the white space out.
 */
export const JSON_FUNCTIONS = `kw_json_awk() { LC_ALL=C awk '${JSON_AWK.replaceAll("'", `'\\''`)}'; }
kw_json_edit() { ( export KW_PATH="$1" KW_VALUE="$2" KW_ONLY_EMPTY="\${3:-}" KW_COMPACT=; kw_json_awk ); }
kw_json_compact() { ( export KW_COMPACT=yes; kw_json_awk ); }`;
