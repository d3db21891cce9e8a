import { createRequire } from "node:module";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import { ConnectionClass } from "../../src/kafkajs/internals.ts";
import { patchKafkajs } from "../../src/kafkajs/patches.ts";

const require = createRequire(import.meta.url);

interface Connection {
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  isConnected(): boolean;
  send(call: { request: object; response: object }): Promise<unknown>;
}

const nothing = (): void => undefined;
const silent = { namespace: () => silent, debug: nothing, info: nothing, warn: nothing, error: nothing };

function connectionTo(port: number): Connection {
  const Class = ConnectionClass as unknown as new (options: object) => Connection;
  const socketFactory = (require("kafkajs/src/network/socketFactory") as () => unknown)();
  const limits = { connectionTimeout: 5_000, requestTimeout: 5_000 };
  return new Class({ host: "127.0.0.1", port, logger: silent, socketFactory, ...limits });
}

/** ApiVersions v0: the request has no body, the answer an error code and a list of three numbers each. */
function askForVersions(connection: Connection): Promise<unknown> {
  const request = (require("kafkajs/src/protocol/requests/apiVersions/v0/request") as () => object)();
  const response = require("kafkajs/src/protocol/requests/apiVersions/v0/response") as object;
  return connection.send({ request, response });
}

/** The answer to the request in these bytes: one key, 18, from 0 to `max`. */
function answerTo(request: Buffer, max: number): Buffer {
  const answer = Buffer.alloc(4 + 4 + 2 + 4 + 6);
  answer.writeInt32BE(answer.length - 4, 0);
  answer.writeInt32BE(request.readInt32BE(8), 4);
  answer.writeInt32BE(1, 10);
  answer.writeInt16BE(18, 14);
  answer.writeInt16BE(max, 18);
  return answer;
}

test("half an answer of a connection that was cut is not taken for the beginning of the next one's", async () => {
  patchKafkajs();
  let lives = 0;
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    const life = (lives += 1);
    socket.on("data", (request) => {
      const answer = answerTo(request, life);
      if (life > 1) socket.write(answer);
      // Mid-message: the length has come, and a part of what it announces.
      else socket.write(answer.subarray(0, 11), () => setTimeout(() => socket.end(), 20));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const connection = connectionTo((server.address() as AddressInfo).port);
  try {
    await connection.connect();
    await expect(askForVersions(connection)).rejects.toThrow("Closed connection");
    await expect.poll(() => connection.isConnected()).toBe(false);
    await connection.connect();
    await expect(askForVersions(connection)).resolves.toMatchObject({
      apiVersions: [{ apiKey: 18, minVersion: 0, maxVersion: 2 }],
    });
  } finally {
    await connection.disconnect();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
