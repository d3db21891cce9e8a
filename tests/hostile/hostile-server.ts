/** A server that is whichever hostile host it is asked as, and counts who comes. */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { bodyThreats } from "./body-threats.ts";
import { contentThreats } from "./content-threats.ts";
import { oddThreats } from "./odd-threats.ts";
import { protocolThreats } from "./protocol-threats.ts";
import { page, type Threat } from "./threat.ts";

export const threats: readonly Threat[] = [
  ...bodyThreats,
  ...protocolThreats,
  ...contentThreats,
  ...oddThreats,
];

export const hostOf = (threat: Pick<Threat, "name">): string => `${threat.name}.hostile.test`;

/** Answers like any good site. */
export const goodHost = "good.hostile.test";
/** Of the good host: a page that is read in a thread. */
export const largePath = "large";
const large = `<title>large</title>${Array.from({ length: 3_000 }, (_, n) => `<p>${"text ".repeat(20)}<a href=/${n}>next</a></p>`).join("")}`;

export class HostileServer implements AsyncDisposable {
  readonly port: number;
  readonly #close: () => Promise<void>;
  readonly #requests: Map<string, number>;

  private constructor(port: number, requests: Map<string, number>, close: () => Promise<void>) {
    this.port = port;
    this.#requests = requests;
    this.#close = close;
  }

  /** With a robots.txt that is missing its hosts are hostile in all else; by default in that too. */
  static async start({
    robotsTxt = "hostile",
  }: { readonly robotsTxt?: "hostile" | "missing" } = {}): Promise<HostileServer> {
    const byHost = new Map(threats.map((threat) => [hostOf(threat), threat.respond]));
    byHost.set(goodHost, (socket) => void socket.write(page("<title>good</title><a href=/next>next</a>")));
    const sockets = new Set<Socket>();
    const requests = new Map<string, number>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => socket.destroy()).on("close", () => sockets.delete(socket));
      let text = "";
      socket.on("data", (chunk) => {
        // What is no request, such as the beginning of TLS, is kept waiting.
        text = (text + chunk.toString("latin1")).slice(-20_000);
        for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
          const host = /^host: ([^:\r]+)/im.exec(text.slice(0, end))?.[1] ?? "";
          const isLarge = text.startsWith(`GET /${largePath} `);
          const isMissing = robotsTxt === "missing" && text.startsWith("GET /robots.txt ");
          text = text.slice(end + 4);
          requests.set(host, (requests.get(host) ?? 0) + 1);
          if (isMissing) socket.write(page("", [], "404 Not Found"));
          else if (isLarge) socket.write(page(large));
          else byHost.get(host)?.(socket);
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new HostileServer((server.address() as AddressInfo).port, requests, async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
  }

  /** Requests that came for a host. */
  requests(host: string): number {
    return this.#requests.get(host) ?? 0;
  }

  url(threat: Threat): string {
    return `${threat.scheme ?? "http"}://${hostOf(threat)}:${this.port}${threat.path ?? "/"}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
