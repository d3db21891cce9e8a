/** A name server on loopback that answers queries for IPv4 addresses as a test says, and all others with nothing. */
import { createSocket } from "node:dgram";

export interface NameServer extends AsyncDisposable {
  /** `address:port`. */
  readonly address: string;
  /** Names asked for, in order, once for each query for an IPv4 address. */
  readonly asked: readonly string[];
}

const typeA = 1;

/** `answer` is called for each query; null: the name does not exist. */
export async function nameServer(
  answer: (name: string, index: number) => { readonly address: string; readonly ttlSeconds: number } | null,
): Promise<NameServer> {
  const asked: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    const { name, type, end } = questionOf(query);
    const found = type === typeA ? answer(name, asked.push(name) - 1) : undefined;
    const reply = Buffer.from(query.subarray(0, end));
    // RFC 1035 §4.1.1: response, recursion available, and NXDOMAIN where there is no such name.
    reply.writeUInt16BE(found === null ? 0x8183 : 0x8180, 2);
    reply.writeUInt16BE(found ? 1 : 0, 6);
    reply.writeUInt32BE(0, 8);
    if (!found) return socket.send(reply, port, address);
    const record = Buffer.alloc(16);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(typeA, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(found.ttlSeconds, 6);
    record.writeUInt16BE(4, 10);
    Buffer.from(found.address.split(".").map(Number)).copy(record, 12);
    return socket.send(Buffer.concat([reply, record]), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    asked,
    [Symbol.asyncDispose]: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function questionOf(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), type: query.readUInt16BE(at + 1), end: at + 5 };
}
