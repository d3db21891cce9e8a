/** How one host is treated: its pace and why, its breaker, its robots.txt, what the operator has said of it. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import {
  hostSchema,
  patternsFor,
  policyOf,
  policyPatternSchema,
  politenessKeyOf,
  policySchema,
  type TopicLayout,
} from "@sluice/records";
import type { Broker, Clock } from "@sluice/runtime";
import { registrableDomain } from "@sluice/web";
import { readHost } from "../host-reader.ts";
import { patternParam } from "../pattern-param.ts";
import type { PolicyBook } from "../policy-book.ts";
import type { PolicyDesk } from "../policy-desk.ts";
import { route } from "../route.ts";

const hostParam = patternParam.refine((text) => !/^(\*|\.)/.test(text), "one host name, not a pattern");
const params = z.object({ host: hostParam });
const viewSchema = z.object({
  host: z.string(),
  domain: z.string().describe("What it shares its clock with: itself, or its registrable domain."),
  known: hostSchema
    .nullable()
    .describe("What rate-limit told of it last; null: it was not asked, or not for hours."),
  policy: policySchema
    .omit({ updatedAtMs: true, note: true })
    .describe("What holds for it, of all policies."),
  patterns: z.array(policyPatternSchema).describe("The policies that are for it, most specific first."),
});
const resetSchema = z.object({ host: z.string(), forgetFailuresBeforeMs: z.int() });

export interface HostRoutesOptions {
  readonly desk: PolicyDesk;
  readonly book: PolicyBook;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly layout: TopicLayout;
}

export function addHostRoutes(app: FastifyInstance, options: HostRoutesOptions): void {
  const { desk, book, broker, clock, layout } = options;
  route(
    app,
    {
      method: "GET",
      url: "/v1/hosts/:host",
      summary:
        "How a host is treated: its pace and what it waits for, its breaker, its robots.txt, its policy.",
      params,
      responses: { 200: { description: "The host, as it was told last.", schema: viewSchema } },
    },
    async ({ params: { host } }) => {
      const domain = politenessKeyOf(layout.politenessKey, host, registrableDomain);
      const [known] = await Promise.all([readHost(broker, layout, domain), desk.refresh()]);
      const policy = policySchema.omit({ updatedAtMs: true, note: true }).parse(policyOf(host, book.all));
      return {
        host,
        domain,
        known,
        policy,
        patterns: patternsFor(host).filter((pattern) => book.all.has(pattern)),
      };
    },
  );
  route(
    app,
    {
      method: "POST",
      url: "/v1/hosts/:host/breaker/reset",
      summary:
        "Failures of the host, and of what shares its clock, until now count no more: its breaker closes, its back-off ends.",
      params,
      responses: { 202: { description: "Written; it takes effect in a moment.", schema: resetSchema } },
    },
    async ({ params: { host }, reply }) => {
      const forgetFailuresBeforeMs = clock.nowMs();
      await desk.change(
        politenessKeyOf(layout.politenessKey, host, registrableDomain),
        { forgetFailuresBeforeMs },
        forgetFailuresBeforeMs,
      );
      return reply.code(202).send({ host, forgetFailuresBeforeMs });
    },
  );
}
