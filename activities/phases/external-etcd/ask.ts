import { Message } from './protobuf.ts';

/** What is asked of one endpoint may take so long, and its connection, s: four of them fit into the time of a check. */
const ANSWER_S = 4;
const CONNECT_S = 3;
/** An answer of etcd to what we ask has some hundred bytes; of another server it may have any number. */
const MOST_BYTES = 16_384;
/** Digits of one line: below the size up to which a pipe keeps the lines of several writers apart. */
const LINE_DIGITS = 3_600;

/** The message of a gRPC call as it is sent, in octal escapes of printf: a word of a script that is no secret. */
export function callBody(message: Uint8Array): string {
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return [...framed].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

/**
 * sh functions. `ask NAME PATH [BODY]`: GET, or a gRPC call, at $endpoint; says `part $endpoint DIGITS` (hexadecimal) until the
 * answer is complete, then `NAME $endpoint`. Fails when there was no HTTP answer. Takes `say`, `curl_as` and
 * $credential.
 */
export const ASK = `
etcd_curl() {
  curl_as "$credential" -sS -i -m ${ANSWER_S} --connect-timeout ${CONNECT_S} \\
    -w '\\nkw %{http_code} %{time_pretransfer} %{time_total}\\n' "$@"
}
ask() {
  said=$({
    if [ -n "\${3:-}" ]; then
      printf "$3" | etcd_curl --http2 -H 'content-type: application/grpc' -H 'te: trailers' --data-binary @- "$endpoint$2"
    else
      etcd_curl "$endpoint$2"
    fi
    printf '\\nexit %s\\n' "$?"
  } 2>&1 | head -c ${MOST_BYTES} | od -An -v -tx1 | tr -d ' \\n')
  for part in $(printf %s "$said" | fold -w ${LINE_DIGITS}); do say part "$endpoint" "$part"; done
  say "$1" "$endpoint"
  # The digits of "exit 0".
  case $said in *6578697420300a) return 0 ;; *) return 1 ;; esac
}
`;

/** What curl says about one request. */
export interface Answer {
  /** Exit code of curl; 0: there is an HTTP answer. */
  exit: number;
  /** Why there is none, in curl's words. */
  why: string;
  status: number;
  /** From the sent request to the end of the answer, ms: without connection and TLS. */
  ms: number;
  head: string;
  body: Buffer;
}

/** An exit code of ours for an answer that was cut: nothing that we ask is so large. */
const CUT = 1000;

/** The answers in the lines (words) that `ask` said, in their order. Never throws. */
export function readAnswers(
  rows: readonly (readonly string[])[],
): { question: string; endpoint: string; answer: Answer }[] {
  const parts = new Map<string, string[]>();
  return rows.flatMap(([question = '', endpoint = '', digits = '']) => {
    const own = parts.get(endpoint) ?? [];
    if (question === 'part') {
      parts.set(endpoint, [...own, digits]);
      return [];
    }
    parts.delete(endpoint);
    return [{ question, endpoint, answer: readAnswer(own) }];
  });
}

/** Reads one answer from its digits. Never throws. */
export function readAnswer(digits: readonly string[]): Answer {
  const all = Buffer.from(digits.join(''), 'hex');
  const text = all.toString('latin1');
  const exit = Number(/\nexit (\d+)\n$/.exec(text)?.[1] ?? CUT);
  const last = text.lastIndexOf('\nkw ');
  const [, status = '0', sent = '0', end = '0'] = /^\nkw (\d+) ([\d.]+) ([\d.]+)\n/.exec(text.slice(last)) ?? [];
  const split = text.indexOf('\r\n\r\n');
  const why = exit === CUT ? `the answer has more than ${MOST_BYTES} bytes` : (/curl: [^\n]*/.exec(text)?.[0] ?? '');
  return {
    ...{ exit, why, status: Number(status) },
    ms: Math.round((Number(end) - Number(sent)) * 10_000) / 10,
    head: split < 0 ? '' : text.slice(0, split),
    body: split < 0 ? Buffer.alloc(0) : all.subarray(split + 4, last < 0 ? undefined : last),
  };
}

/** The message that a gRPC call answers with, or why there is none: the words of etcd, and the code of gRPC (null: no gRPC). */
export function readCall(answer: Answer): { message: Message } | { code: number | null; why: string } {
  const { exit, head, body, status } = answer;
  if (exit !== 0) return { code: null, why: answer.why };
  if (!/^content-type: application\/grpc/im.test(head))
    return { code: null, why: `HTTP ${status}, not gRPC: ${body.toString('latin1').slice(0, 200).trim()}` };
  const length = body.length >= 5 && body[0] === 0 ? body.readUInt32BE(1) : null;
  const trailers = length === null ? head : body.subarray(5 + length).toString('latin1');
  const [, code = ''] =
    /grpc-status: (\d+)/i.exec(trailers) ?? /grpc-status: (\d+)/i.exec(body.toString('latin1')) ?? [];
  if (code !== '0') {
    const said = /grpc-message: ([^\r\n]*)/i.exec(`${head}\n${body.toString('latin1')}`)?.[1];
    return { code: code === '' ? null : Number(code), why: said ?? `gRPC status ${code || 'unknown'}` };
  }
  try {
    return { message: new Message(body.subarray(5, 5 + (length ?? 0))) };
  } catch (error) {
    return { code: null, why: `the answer cannot be read: ${error instanceof Error ? error.message : ''}` };
  }
}
