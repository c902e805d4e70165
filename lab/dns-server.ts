import { createSocket, type Socket } from 'node:dgram';
import { getServers } from 'node:dns';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';
import dnsPacket, { type Answer } from 'dns-packet';

/** What a name server of a lab answers. Names are without the dot at their end. */
export interface LabRecords {
  addresses: Readonly<Record<string, string>>;
  srv: Readonly<Record<string, readonly { target: string; port: number }[]>>;
}

/** A name server that a test runs for its hosts. */
export interface LabDns {
  /** Answers with these from now on. */
  set(records: LabRecords): void;
  stop(): Promise<void>;
}

const TTL_S = 1;
/** How long the machine's own name server may take for the names of others, ms. */
const FORWARD_MS = 3_000;

/** Starts a name server at an address, port 53, UDP and TCP. Names that it does not have go to the machine's own name server. */
export async function startDns(address: string, first: LabRecords): Promise<LabDns> {
  let records = first;
  const answer = async (question: Buffer): Promise<Buffer> => {
    const query = dnsPacket.decode(question);
    const [asked] = query.questions ?? [];
    const name = asked?.name.toLowerCase() ?? '';
    if (!isOurs(records, name)) return forward(question);
    return dnsPacket.encode({
      type: 'response',
      id: query.id ?? 0,
      flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | dnsPacket.AUTHORITATIVE_ANSWER,
      questions: query.questions ?? [],
      answers: asked ? answersTo(records, name, asked.type) : [],
    });
  };

  const udp = createSocket('udp4');
  udp.on('message', (question, { port, address: from }) => {
    // A question that cannot be read or answered gets no answer; its sender asks again.
    answer(question).then(
      (reply) => udp.send(reply, port, from),
      () => undefined,
    );
  });
  const tcp = createServer((socket) => serveTcp(socket, answer));
  await Promise.all([listenUdp(udp, address), listenTcp(tcp, address)]);
  return {
    set: (next) => {
      records = next;
    },
    stop: async () => {
      await Promise.all([
        new Promise<void>((done) => udp.close(() => done())),
        new Promise<void>((done) => tcp.close(() => done())),
      ]);
    },
  };
}

const isOurs = ({ addresses, srv }: LabRecords, name: string): boolean =>
  [...Object.keys(addresses), ...Object.keys(srv)].some((own) => {
    const zone = own.split('.').slice(-2).join('.');
    return name === zone || name.endsWith(`.${zone}`);
  });

function answersTo({ addresses, srv }: LabRecords, name: string, type: string): Answer[] {
  if (type === 'A') {
    const data = addresses[name];
    return data === undefined ? [] : [{ type: 'A', name, ttl: TTL_S, data }];
  }
  if (type !== 'SRV') return [];
  return (srv[name] ?? []).map((data) => ({
    type: 'SRV',
    name,
    ttl: TTL_S,
    data: { ...data, priority: 0, weight: 0 },
  }));
}

/** Length, two bytes, then the message; one question a connection. */
function serveTcp(socket: TcpSocket, answer: (question: Buffer) => Promise<Buffer>): void {
  let received = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (part: Buffer) => {
    received = Buffer.concat([received, part]);
    if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
    const question = received.subarray(2, 2 + received.readUInt16BE(0));
    answer(question).then(
      (reply) => {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.end(Buffer.concat([length, reply]));
      },
      () => socket.destroy(),
    );
  });
}

function forward(question: Buffer): Promise<Buffer> {
  const [server = '127.0.0.1'] = getServers();
  return new Promise((resolve, reject) => {
    const socket = createSocket(server.includes(':') ? 'udp6' : 'udp4');
    const end = (settle: () => void) => {
      clearTimeout(timer);
      socket.close();
      settle();
    };
    const timer = setTimeout(() => end(() => reject(new Error(`${server} does not answer`))), FORWARD_MS);
    socket.once('message', (reply) => end(() => resolve(reply)));
    socket.once('error', (error) => end(() => reject(error)));
    socket.send(question, 53, server);
  });
}

const listenUdp = (socket: Socket, address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(53, address, resolve);
  });
const listenTcp = (server: Server, address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(53, address, resolve);
  });
