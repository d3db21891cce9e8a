/** A forward proxy on loopback: forwards plain requests and opens tunnels, wherever a test says a host is. */
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

export interface ProxyServer extends AsyncDisposable {
  readonly origin: string;
  /** The head of each request to the proxy itself. */
  readonly heads: readonly string[];
}

export interface ProxyOptions {
  /** Value that Proxy-Authorization must have. */
  readonly authorization?: string;
  /** Where a `host:port` is. */
  readonly whereIs: (authority: string) => { readonly port: number; readonly host: string };
  readonly make?: (onSocket: (socket: Socket) => void) => Server;
  /** In place of an answer of its own. */
  readonly answer?: string;
}

export async function proxyServer(options: ProxyOptions): Promise<ProxyServer> {
  const heads: string[] = [];
  const open = new Set<Socket>();
  const { make = (onSocket) => createServer(onSocket) } = options;
  const server = make((socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy()).on("close", () => open.delete(socket));
    socket.once("data", (bytes) => {
      const text = bytes.toString("latin1");
      const head = text.slice(0, text.indexOf("\r\n\r\n"));
      heads.push(head);
      if (options.answer !== undefined) return void socket.end(options.answer);
      const given = /^proxy-authorization: (.*)$/im.exec(head)?.[1];
      if (given !== options.authorization)
        return void socket.end("HTTP/1.1 407 Who\r\ncontent-length: 0\r\n\r\n");
      const [method = "", target = ""] = head.split(" ");
      const isTunnel = method === "CONNECT";
      const to = connect(options.whereIs(isTunnel ? target : new URL(target).host), () => {
        if (isTunnel) socket.write("HTTP/1.1 200 Connected\r\nvia: test\r\n\r\n");
        else to.write(text.replace(/^proxy-authorization: .*\r\n/im, ""));
        socket.pipe(to).pipe(socket);
      });
      open.add(to);
      to.on("error", () => socket.destroy()).on("close", () => open.delete(to));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heads,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
