/** What operators and tools ask: does it live, is it ready, what does it measure, what can it do. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Checks } from "../api.ts";
import { openApi } from "../open-api.ts";
import { route, routesOf } from "../route.ts";

export interface HealthOptions {
  readonly version: string;
  readonly checks: () => Checks;
  readonly metrics: () => Promise<string>;
}

const plain = "text/plain; charset=utf-8";
const text = (description: string) => ({ description, contentType: "text/plain" });

export function addHealthRoutes(app: FastifyInstance, { version, checks, metrics }: HealthOptions): void {
  route(
    app,
    {
      method: "GET",
      url: "/livez",
      summary: "Whether the process moves.",
      responses: { 200: text("It does.") },
    },
    async ({ reply }) => reply.type(plain).send("ok\n"),
  );
  route(
    app,
    {
      method: "GET",
      url: "/readyz",
      summary: "Whether it can answer.",
      query: z.strictObject({ verbose: z.string().optional().describe("Also list the checks.") }),
      responses: { 200: text("It can."), 503: text("It can't.") },
    },
    async ({ query, reply }) => {
      const found = Object.entries(checks());
      const ready = found.every(([, { ok }]) => ok);
      const lines = found
        .map(([name, { ok, detail }]) => `[${ok ? "+" : "-"}] ${name}: ${detail}\n`)
        .join("");
      const short = ready ? "ok\n" : "not ready\n";
      return reply
        .code(ready ? 200 : 503)
        .type(plain)
        .send(query.verbose === undefined ? short : lines);
    },
  );
  route(
    app,
    {
      method: "GET",
      url: "/metrics",
      summary: "Metrics for Prometheus.",
      responses: { 200: text("Its metrics.") },
    },
    async ({ reply }) => reply.type("text/plain; version=0.0.4; charset=utf-8").send(await metrics()),
  );
  route(
    app,
    {
      method: "GET",
      url: "/openapi.json",
      summary: "This API, as OpenAPI 3.1.",
      responses: { 200: { description: "The document.", schema: z.looseObject({ openapi: z.string() }) } },
    },
    async () => openApi(routesOf(app), version),
  );
}
