/** Loopback ports that are free now. Another process may still take one before it is used. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below the range from which systems give out ports for outgoing connections (32768 and up on Linux): a client that
 * tries again and again to reach a broker that is away could else be given the broker's own port, and keep it.
 */
const portMin = 20_000;
const portMax = 32_000;
const attemptsMax = 200;

/** Resolves to `port` where it is free, else to any free port. */
export async function freePort(port: number | null): Promise<number> {
  if (port !== null && (await isFree(port))) return port;
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const candidate = randomInt(portMin, portMax);
    if (await isFree(candidate)) return candidate;
  }
  throw new Error(`no free port between ${portMin} and ${portMax} on 127.0.0.1`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => resolve(true)));
  });
}
