import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface AdminServerOptions {
  readonly host: string;
  readonly port: number;
  /** The process moves; says nothing about anything outside it. */
  readonly alive: () => boolean;
  /** Each check with what it found. */
  readonly checks: () => Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
  readonly metrics: () => Promise<string>;
}

export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

/** `/livez`, `/readyz` (`?verbose` lists the checks) and `/metrics`. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://admin");
    const answer = (status: number, body: string, type = "text/plain; charset=utf-8"): void => {
      response.writeHead(status, { "content-type": type });
      response.end(body);
    };
    if (url.pathname === "/livez")
      return options.alive() ? answer(200, "ok\n") : answer(503, "the loop has work and does not turn\n");
    if (url.pathname === "/readyz") {
      const checks = Object.entries(options.checks());
      const ready = checks.every(([, { ok }]) => ok);
      const lines = checks
        .map(([name, { ok, detail }]) => `[${ok ? "+" : "-"}] ${name}: ${detail}\n`)
        .join("");
      return answer(
        ready ? 200 : 503,
        url.searchParams.has("verbose") ? lines : ready ? "ok\n" : "not ready\n",
      );
    }
    if (url.pathname === "/metrics") {
      options.metrics().then(
        (text) => answer(200, text, "text/plain; version=0.0.4; charset=utf-8"),
        () => answer(500, "metrics failed\n"),
      );
      return;
    }
    return answer(404, "not found\n");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
