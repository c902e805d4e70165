import proto from '@temporalio/proto';

const { History } = proto.temporal.api.history.v1;

type Message = Record<string, unknown>;

/**
 * A workflow's history as proto-JSON, as `temporal workflow show --output json` writes it and every SDK's replayer reads
 * it: enums by name, 64-bit numbers as text, bytes in base64, times in RFC 3339, durations in seconds. The SDK's own
 * conversion fails where npm installs several copies of protobufjs.
 */
export function historyJson(history: proto.temporal.api.history.v1.IHistory): unknown {
  const message = History.fromObject(history);
  const plain: unknown = History.toObject(message, { longs: String, enums: String, bytes: String });
  return wellKnown(plain, message);
}

/** The plain form with times and durations in their JSON form: only the message itself knows which objects they are. */
function wellKnown(plain: unknown, message: unknown): unknown {
  const type = typeName(message);
  if (type === '.google.protobuf.Timestamp') return timestamp(plain as Message);
  if (type === '.google.protobuf.Duration') return duration(plain as Message);
  if (Array.isArray(plain)) return plain.map((each, index) => wellKnown(each, (message as unknown[])[index]));
  if (typeof plain !== 'object' || plain === null) return plain;
  return Object.fromEntries(
    Object.entries(plain).map(([name, value]) => [name, wellKnown(value, (message as Message)[name])]),
  );
}

/** Messages carry their type; other values do not. */
function typeName(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('$type' in value)) return undefined;
  return (value.$type as { fullName?: string }).fullName;
}

function timestamp({ seconds = '0', nanos = 0 }: Message): string {
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${whole}${fraction(Number(nanos))}Z`;
}

function duration({ seconds = '0', nanos = 0 }: Message): string {
  const [whole, rest] = [Number(seconds), Number(nanos)];
  return `${whole < 0 || rest < 0 ? '-' : ''}${Math.abs(whole)}${fraction(Math.abs(rest))}s`;
}

/** 0, 3, 6 or 9 digits, as the mapping says. */
function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.replace(/(000){1,2}$/, '')}`;
}
