/** What the operator says of hosts: whether, how often and how they are asked. */
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { policyPatternSchema, policySchema, type Policy } from "@sluice/records";
import type { Clock } from "@sluice/runtime";
import { patternParam } from "../pattern-param.ts";
import type { PolicyBook } from "../policy-book.ts";
import type { PolicyDesk } from "../policy-desk.ts";
import { route } from "../route.ts";

const params = z.object({ pattern: patternParam });
/** A policy that says nothing would be taken for one that does. */
const bodySchema = z
  .strictObject(policySchema.omit({ updatedAtMs: true }).shape)
  .refine((policy) => Object.keys(policy).some((field) => field !== "note"), "sets nothing");
const viewSchema = z.object({ pattern: policyPatternSchema, ...policySchema.shape });
const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe("Most policies in the answer."),
  after: z.string().max(300).optional().describe("Only patterns that come after this one."),
});
const listSchema = z.object({
  policies: z.array(viewSchema).describe("In the order of their patterns."),
  next: policyPatternSchema.nullable().describe("`after` of the next page; null on the last one."),
});

const viewOf = (pattern: string, policy: Policy) => ({ pattern, ...policy });

export function addPolicyRoutes(
  app: FastifyInstance,
  { desk, book, clock }: { readonly desk: PolicyDesk; readonly book: PolicyBook; readonly clock: Clock },
): void {
  route(
    app,
    {
      method: "GET",
      url: "/v1/policies",
      summary: "All policies, in the order of their patterns.",
      query: listQuery,
      responses: { 200: { description: "One page of policies.", schema: listSchema } },
    },
    async ({ query: { limit, after } }) => {
      await desk.refresh();
      const patterns = book.patterns().filter((pattern) => after === undefined || pattern > after);
      const page = patterns.slice(0, limit);
      return {
        policies: page.flatMap((pattern) => {
          const policy = book.all.get(pattern);
          return policy === undefined ? [] : [viewOf(pattern, policy)];
        }),
        next: patterns.length > page.length ? (page.at(-1) ?? null) : null,
      };
    },
  );
  route(
    app,
    {
      method: "GET",
      url: "/v1/policies/:pattern",
      summary: "What is said of the hosts of a pattern.",
      params,
      responses: { 200: { description: "The policy.", schema: viewSchema } },
    },
    async ({ params: { pattern } }) => viewOf(pattern, await desk.find(pattern)),
  );
  route(
    app,
    {
      method: "PUT",
      url: "/v1/policies/:pattern",
      summary:
        "Say what holds for the hosts of a pattern, in place of all that was said before. In force within seconds.",
      params,
      body: bodySchema,
      responses: {
        200: { description: "Changed.", schema: viewSchema },
        201: { description: "New.", schema: viewSchema },
      },
    },
    async ({ params: { pattern }, body, reply }) => {
      const { isNew, policy } = await desk.set(pattern, { ...body, updatedAtMs: clock.nowMs() });
      return reply.code(isNew ? 201 : 200).send(viewOf(pattern, policy));
    },
  );
  route(
    app,
    {
      method: "DELETE",
      url: "/v1/policies/:pattern",
      summary: "Take back what was said of the hosts of a pattern.",
      params,
      responses: { 204: { description: "Taken back." } },
    },
    async ({ params: { pattern }, reply }) => {
      await desk.remove(pattern);
      return reply.code(204).send();
    },
  );
}
