/**
 * Which member of which etcd cluster a write-ahead log is of: its second record holds both ids. Record: 8 bytes length
 * (little endian, the padding in the highest byte), then a protobuf message with the type in field 1 and data in field 3;
 * metadata (type 1) is a message of node id and cluster id in fields 1 and 2 (etcd, server/storage/wal/walpb).
 * `hex`: the first 128 bytes of a file of the log. Null where they say nothing. Pure.
 */
export function walMember(hex: string): { member: string; cluster: string } | null {
  const bytes = Buffer.from(/^([0-9a-f]{2})*/.exec(hex)?.[0] ?? '', 'hex');
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUIntLE(at, 6);
    const padding = bytes[at + 7]! & 0x80 ? bytes[at + 7]! & 7 : 0;
    const record = fieldsOf(bytes.subarray(at + 8, at + 8 + length));
    if (record.get(1) === 1n && record.get(3) instanceof Buffer) {
      const ids = fieldsOf(record.get(3) as Buffer);
      const [member, cluster] = [ids.get(1), ids.get(2)];
      if (typeof member !== 'bigint' || typeof cluster !== 'bigint') return null;
      return { member: member.toString(16), cluster: cluster.toString(16) };
    }
    at += 8 + length + padding;
  }
  return null;
}

/** The fields of a protobuf message, as far as it goes: varints, and bytes. */
function fieldsOf(bytes: Buffer): Map<number, bigint | Buffer> {
  const fields = new Map<number, bigint | Buffer>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; at < bytes.length && shift < 70n; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return BigInt.asUintN(64, value);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) fields.set(tag >> 3, varint());
    else if ((tag & 7) === 2) {
      const length = Number(varint());
      fields.set(tag >> 3, bytes.subarray(at, at + length));
      at += length;
    } else break;
  }
  return fields;
}
