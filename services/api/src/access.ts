/** Who may ask the API: the bearer of the token, or, where there is none, programs of this machine. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isPageRoute } from "./page-routes.ts";
import { Problem } from "./problem.ts";

/** The one path that is answered without a token: whether the process lives is no secret. */
const openPath = "/livez";

/** Holds for every route, those that do not exist included. `token` null: none is configured. */
export function guardAccess(app: FastifyInstance, token: string | null): void {
  const isBearer = token === null ? null : bearerCheck(token);
  app.addHook("onRequest", async (request) => {
    if (request.routeOptions.url === openPath) return;
    if (isBearer === null) return refuseBrowsersOfOthers(request);
    // The page asks for the token itself; browsers can't send one with an address.
    if (isPageRoute(request.routeOptions.url)) return;
    if (isBearer(request.headers.authorization ?? "")) return;
    throw new Problem(401, "This needs the bearer token.", [], {
      "www-authenticate": 'Bearer realm="sluice"',
    });
  });
}

/** Compares digests, so that neither length nor content of the token shows in the time that it takes. */
function bearerCheck(token: string): (header: string) => boolean {
  const wanted = digest(token);
  return (header) => {
    const given = /^bearer +(\S+)$/i.exec(header)?.[1] ?? "";
    return timingSafeEqual(digest(given), wanted);
  };
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/**
 * Without a token the browser of this machine's user is the way in for any web page: by a name that resolves
 * to loopback (DNS rebinding), or by a POST across origins. Both show in the headers.
 */
function refuseBrowsersOfOthers({ headers, method }: FastifyRequest): void {
  const host = headers.host ?? "";
  if (!isLoopback(hostNameOf(host)))
    throw new Problem(
      403,
      `Without a token the API answers only to loopback names, not to ${JSON.stringify(host)}.`,
    );
  const { origin } = headers;
  if (method === "GET" || origin === undefined || origin === `http://${host}`) return;
  throw new Problem(403, `A page of ${origin} may not change anything here.`);
}

const hostNameOf = (host: string): string =>
  host
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .toLowerCase();

/** Whether an address or name is this machine's own, reachable from nowhere else. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
