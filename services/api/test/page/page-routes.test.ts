import Fastify, { type FastifyInstance } from "fastify";
import { afterAll, describe, expect, it } from "vitest";
import { guardAccess } from "../../src/access.ts";
import { addPageRoutes } from "../../src/page-routes.ts";

function appWith(token: string | null): FastifyInstance {
  const app = Fastify({ exposeHeadRoutes: false });
  guardAccess(app, token);
  addPageRoutes(app);
  return app;
}

const app = appWith("secret");
afterAll(() => app.close());
const get = (url: string, headers: Record<string, string> = {}) => app.inject({ url, headers });

/** Addresses of the files that a text names, as the browser finds them. */
function namedBy(text: string, url: string): readonly string[] {
  return [...text.matchAll(/(?:src|href|from)\s*=?\s*"([^"#]+\.[a-z]+)"/g)]
    .map(([, name = ""]) => name)
    .filter((name) => name.startsWith(".") || name.startsWith("assets/"))
    .map((name) => new URL(name, `http://x${url}`).pathname);
}

describe("the page's files", () => {
  it("are all there without a token, each with its type, down to the last import", async () => {
    const seen = new Set<string>();
    const open = ["/"];
    for (let url = open.pop(); url !== undefined; url = open.pop()) {
      if (seen.has(url)) continue;
      seen.add(url);
      const answer = await get(url);
      expect(answer.statusCode, url).toBe(200);
      const type = String(answer.headers["content-type"]);
      expect(type, url).toMatch(/^(text\/(html|css|javascript); charset=utf-8|image\/svg\+xml)$/);
      if (type.startsWith("text/")) open.push(...namedBy(answer.body, url));
    }
    expect(seen.size).toBeGreaterThan(15);
    expect(seen).toContain("/assets/src/event-parser.ts");
  });

  it("run in a browser: nothing of TypeScript is left in them", async () => {
    const { body } = await get("/assets/page/job-state.ts");
    expect(body).toContain("export function emptyState(job");
    expect(body).not.toMatch(/interface |import type|: JobState/);
  });

  it("name no script, style or image of another place and have none inline", async () => {
    const { body } = await get("/");
    expect(body).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(body).not.toMatch(/<style|style="|\son[a-z]+="|<script(?![^>]* src=)/);
  });

  it("carry headers that keep strangers' text from becoming code", async () => {
    const { headers } = await get("/");
    const policy = String(headers["content-security-policy"]);
    expect(policy).toMatch(/^default-src 'none';/);
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
    for (const part of ["script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"])
      expect(policy.split("; ")).toContain(part);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    });
  });

  it("are not sent again to who has them", async () => {
    const first = await get("/assets/page/style.css");
    const etag = String(first.headers.etag);
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await get("/assets/page/style.css", { "if-none-match": tag });
      expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, "", etag]);
    }
    const changed = await get("/assets/page/style.css", { "if-none-match": '"other"' });
    expect(changed.statusCode).toBe(200);
    const head = await app.inject({ method: "HEAD", url: "/" });
    expect([head.statusCode, head.body]).toEqual([200, ""]);
  });

  it("open nothing else: what is no file of the page needs the token, and nothing lies outside of it", async () => {
    for (const url of ["/assets/", "/assets/page/", "/assets/page/tsconfig.json", "/assets/src/api.ts", "/x"])
      expect((await get(url)).statusCode, url).toBe(401);
    for (const url of ["/assets/page/../src/api.ts", "/assets/page/%2e%2e/package.json"])
      expect((await get(url, { authorization: "Bearer secret" })).statusCode, url).toBe(404);
  });

  it("are kept from names that only seem to be this machine, where no token is asked for", async () => {
    const open = appWith(null);
    expect((await open.inject({ url: "/", headers: { host: "127.0.0.1:7070" } })).statusCode).toBe(200);
    expect((await open.inject({ url: "/", headers: { host: "rebound.example" } })).statusCode).toBe(403);
    await open.close();
  });
});
