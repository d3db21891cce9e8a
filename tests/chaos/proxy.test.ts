import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { clear, Proxy } from "./proxy.ts";

let echo: Server;
let proxy: Proxy;
let chance = 1;
const clients: Socket[] = [];

beforeEach(async () => {
  echo = createServer((socket) => socket.on("error", () => undefined).pipe(socket));
  echo.listen(0, "127.0.0.1");
  await once(echo, "listening");
  chance = 1;
  proxy = await Proxy.start((echo.address() as AddressInfo).port, () => chance);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await proxy.close();
  echo.close();
});

async function client(): Promise<{ socket: Socket; got: () => Buffer }> {
  const socket = connect(proxy.port, "127.0.0.1");
  clients.push(socket);
  const pieces: Buffer[] = [];
  socket.on("data", (piece) => pieces.push(piece));
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return { socket, got: () => Buffer.concat(pieces) };
}

test("in clear weather all bytes arrive, in order, both ways", async () => {
  const { socket, got } = await client();
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  socket.write(sent);
  await expect.poll(() => got().length).toBe(sent.length);
  expect(got().equals(sent)).toBe(true);
  expect(proxy.bytes).toBe(2 * sent.length);
});

test("while it is stalled nothing arrives, and afterwards everything", async () => {
  const { socket, got } = await client();
  socket.write("before");
  await expect.poll(() => got().toString()).toBe("before");
  proxy.weather = { ...clear, stalled: true };
  socket.write(" and behind");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(got().toString()).toBe("before");
  proxy.weather = clear;
  await expect.poll(() => got().toString()).toBe("before and behind");
});

test("a slow line adds its latency each way, and lets no more through than its width", async () => {
  const { socket, got } = await client();
  proxy.weather = { ...clear, latencyMs: 40 };
  const fromMs = performance.now();
  socket.write("x");
  await expect.poll(() => got().length, { interval: 5 }).toBe(1);
  expect(performance.now() - fromMs).toBeGreaterThanOrEqual(79);
  proxy.weather = { ...clear, bytesPerSecond: 1_000 };
  const thenMs = performance.now();
  socket.write("y".repeat(100));
  await expect.poll(() => got().length).toBe(101);
  socket.write("z");
  await expect.poll(() => got().length, { interval: 5 }).toBe(102);
  expect(performance.now() - thenMs).toBeGreaterThanOrEqual(99);
});

test("a cut lets half of a piece arrive and resets both sides", async () => {
  const { socket, got } = await client();
  socket.write("whole");
  await expect.poll(() => got().toString()).toBe("whole");
  proxy.weather = { ...clear, cutChance: 0.5 };
  chance = 0;
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.write("0123456789");
  await closed;
  expect(proxy.cuts).toBeGreaterThan(0);
  expect("whole0123456789".startsWith(got().toString())).toBe(true);
  expect(got().length).toBeLessThan("whole0123456789".length);
  await expect.poll(() => proxy.connections).toBe(0);
  proxy.weather = clear;
  const again = await client();
  again.socket.write("on it goes");
  await expect.poll(() => again.got().toString()).toBe("on it goes");
});
