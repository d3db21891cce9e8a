/** A tunnel through a proxy: CONNECT (RFC 9110 §9.3.6) on a socket that is open already. */
import type { Socket } from "node:net";

/** More is no answer to CONNECT. */
const headBytesMax = 16_384;

/** The proxy did not open the tunnel; the host was not reached. */
export class ProxyRefusedError extends Error {
  override readonly name = "ProxyRefusedError";
  /** `PROXY_407`, or `PROXY_PROTOCOL` for what is no answer. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface TunnelTarget {
  /** Name or address, IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/**
 * Resolves when the proxy has answered 2xx; from then on the socket speaks with the target. Rejects with
 * {@link ProxyRefusedError}, or with the socket's own error. Whoever has the socket destroys it then.
 */
export function openTunnel(
  socket: Socket,
  { hostname, port }: TunnelTarget,
  authorization: string | undefined,
): Promise<void> {
  const authority = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`];
  if (authorization !== undefined) lines.push(`Proxy-Authorization: ${authorization}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const settle = (error: Error | null): void => {
      socket.off("readable", onReadable).off("error", settle).off("close", onClose);
      if (error === null) resolve();
      else reject(error);
    };
    const onClose = (): void => settle(new ProxyRefusedError("PROXY_CLOSED", "the proxy hung up"));
    const onReadable = (): void => {
      for (let chunk = read(socket); chunk !== null; chunk = read(socket)) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf("\r\n\r\n");
        if (end < 0 && head.length <= headBytesMax) continue;
        // What follows is the target's; a server speaks first in no protocol that is used here, so there is none.
        if (end >= 0 && end + 4 < head.length) socket.unshift(head.subarray(end + 4));
        return settle(end < 0 ? tooLong() : refusalOf(head.subarray(0, end).toString("latin1")));
      }
    };
    socket.on("readable", onReadable).on("error", settle).on("close", onClose);
    onReadable();
  });
}

const read = (socket: Socket): Buffer | null => socket.read() as Buffer | null;
const tooLong = (): Error => new ProxyRefusedError("PROXY_PROTOCOL", "the proxy's answer has no end");

function refusalOf(head: string): Error | null {
  const status = /^HTTP\/1\.[01] (\d{3})(?: |\r|$)/.exec(head)?.[1];
  if (status === undefined)
    return new ProxyRefusedError("PROXY_PROTOCOL", "what the proxy answers is no HTTP");
  return status.startsWith("2")
    ? null
    : new ProxyRefusedError(`PROXY_${status}`, `the proxy answered ${status}`);
}
