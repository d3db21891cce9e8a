import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request as the site's owner sees it. */
export interface AccessLine {
  readonly host: string;
  readonly path: string;
  readonly userAgent: string;
  readonly startMs: number;
  endMs: number;
  /** The client went away before the answer was complete. */
  aborted: boolean;
}

export interface Page {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** How long the answer takes. */
  readonly afterMs?: number;
}

export type Site = (host: string, path: string) => Page;

/** Real web servers on loopback addresses, one a host, with one access log by one clock. */
export class Origin {
  readonly log: readonly AccessLine[];
  readonly port: number;
  readonly #servers: Server[];

  private constructor(port: number, servers: Server[], log: readonly AccessLine[]) {
    this.port = port;
    this.#servers = servers;
    this.log = log;
  }

  /**
   * Listens on the same port of each address; `site` answers for all of them. With `take`, each line goes
   * there when its answer has ended, and none is kept.
   */
  static async start(
    addresses: readonly string[],
    site: Site,
    take?: (line: AccessLine) => void,
  ): Promise<Origin> {
    const log: AccessLine[] = [];
    const begin = take === undefined ? (line: AccessLine) => void log.push(line) : () => undefined;
    const end = take ?? (() => undefined);
    const servers: Server[] = [];
    let port = 0;
    for (const address of addresses) {
      const server = createServer((request, response) =>
        answer(request, response, address, site, begin, end),
      );
      server.keepAliveTimeout = 60_000;
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, address, resolve);
      });
      port = (server.address() as AddressInfo).port;
      servers.push(server);
    }
    return new Origin(port, servers, log);
  }

  url(address: string, path = "/"): string {
    return `http://${address}:${this.port}${path}`;
  }

  /** Pages asked for, robots.txt left out. */
  pages(): readonly AccessLine[] {
    return this.log.filter((line) => line.path !== "/robots.txt");
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#servers.map(
        (server) =>
          new Promise<void>((resolve) => {
            server.closeAllConnections();
            server.close(() => resolve());
          }),
      ),
    );
  }
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  host: string,
  site: Site,
  begin: (line: AccessLine) => void,
  end: (line: AccessLine) => void,
): void {
  const line: AccessLine = {
    host,
    path: request.url ?? "/",
    userAgent: request.headers["user-agent"] ?? "",
    startMs: performance.now(),
    endMs: Number.NaN,
    aborted: false,
  };
  begin(line);
  response.once("close", () => {
    line.endMs = performance.now();
    line.aborted = !response.writableFinished;
    end(line);
  });
  const page = site(host, line.path);
  const send = (): void => {
    response.writeHead(page.status ?? 200, { "content-type": "text/html; charset=utf-8", ...page.headers });
    response.end(page.body ?? "");
  };
  if (page.afterMs === undefined) send();
  else setTimeout(send, page.afterMs);
}

/** A page with a title and links. */
export function htmlPage(title: string, links: readonly string[]): Page {
  const anchors = links.map((link) => `<li><a href="${link}">${link}</a></li>`).join("");
  return {
    body: `<!doctype html><html><head><title>${title}</title></head><body><ul>${anchors}</ul></body></html>`,
  };
}

export interface Violation {
  readonly host: string;
  readonly first: string;
  readonly second: string;
  readonly gapMs: number;
}

/**
 * Pairs of requests to one host that are closer than its delay, start to start, and pairs that overlap.
 * Measured on the server's side, robots.txt included.
 */
export function politenessViolations(log: readonly AccessLine[], delayMs: number): readonly Violation[] {
  const byHost = new Map<string, AccessLine[]>();
  for (const line of log) {
    const lines = byHost.get(line.host);
    if (lines === undefined) byHost.set(line.host, [line]);
    else lines.push(line);
  }
  const violations: Violation[] = [];
  for (const [host, lines] of byHost) {
    lines.sort((a, b) => a.startMs - b.startMs);
    for (const [index, second] of lines.entries()) {
      const first = lines[index - 1];
      if (first === undefined) continue;
      const gapMs = second.startMs - first.startMs;
      if (gapMs < delayMs || second.startMs < first.endMs) {
        violations.push({ host, first: first.path, second: second.path, gapMs });
      }
    }
  }
  return violations;
}
