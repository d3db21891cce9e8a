/** The operator's page at `/`: plain files, read once and kept, their types stripped as Node strips its own. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { extname, join } from "node:path";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** Where the package's files are served as they lie in it, so that their relative imports hold. */
const assetsPath = "/assets/";

interface Asset {
  readonly url: string;
  readonly contentType: string;
  readonly body: string;
  readonly etag: string;
}

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".ts": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * Nothing but files of this origin, and no text that turns into markup: titles and addresses that the page
 * shows are written by strangers.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const headers = {
  "content-security-policy": contentSecurityPolicy,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  // Kept by the browser, and asked about each time: a new version shows at once.
  "cache-control": "no-cache",
} as const;

/** Sources outside `page/` that run in the browser too. */
const sharedSources: readonly string[] = ["src/event-parser.ts"];

/** Whether the route is one of the page's own: files that are no secret, as the data they ask for is. */
export function isPageRoute(url: string | undefined): boolean {
  return url === "/" || (url !== undefined && url.startsWith(assetsPath));
}

export function addPageRoutes(app: FastifyInstance): void {
  for (const asset of pageAssets()) {
    app.route({
      method: ["GET", "HEAD"],
      url: asset.url,
      handler: (request, reply) => answer(asset, request, reply),
    });
  }
}

function answer(asset: Asset, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.headers(headers).header("etag", asset.etag);
  if (hasTag(request.headers["if-none-match"] ?? "", asset.etag)) return reply.code(304).send();
  return reply.type(asset.contentType).send(asset.body);
}

/** Weak comparison, as RFC 9110 §13.1.2 asks: a proxy that compresses weakens the tag. */
function hasTag(header: string, etag: string): boolean {
  return header
    .split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""))
    .some((tag) => tag === etag || tag === "*");
}

function pageAssets(): readonly Asset[] {
  const folder = join(import.meta.dirname, "..");
  const page = readdirSync(join(folder, "page")).filter((name) => extname(name) in contentTypes);
  return [...page.map((name) => `page/${name}`), ...sharedSources].map((path) =>
    assetOf(path, readFileSync(join(folder, path), "utf8")),
  );
}

function assetOf(path: string, text: string): Asset {
  const extension = extname(path);
  const body = extension === ".ts" ? strippedOf(text) : text;
  return {
    url: path === "page/index.html" ? "/" : assetsPath + path,
    contentType: contentTypes[extension] ?? "application/octet-stream",
    body,
    etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
  };
}

/**
 * Node warns that this function is experimental. The whole product rests on the same stripping, and the warning
 * would be the one line of the log that is not JSON.
 */
function strippedOf(text: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}
