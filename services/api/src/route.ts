/** One way to add a route: zod checks what comes in, and the same schemas describe it in OpenAPI. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { fieldErrors, Problem } from "./problem.ts";

const nothing = z.strictObject({});
type Nothing = typeof nothing;

export interface RouteAnswer {
  readonly description: string;
  /** Of a JSON body; none where there is no body or it is no JSON. */
  readonly schema?: z.ZodType;
  /** `application/json` unless said otherwise. */
  readonly contentType?: string;
}

/** What OpenAPI says of a route. */
export interface RouteDescription {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** With parameters as `:id`. */
  readonly url: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly headers?: z.ZodObject;
  readonly responses: Readonly<Record<number, RouteAnswer>>;
}

export interface Route<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Headers extends z.ZodObject,
> extends RouteDescription {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly headers?: Headers;
}

export interface RouteInput<Params, Query, Body, Headers> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly headers: Headers;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

const described = new WeakMap<object, RouteDescription[]>();

/** Routes added to the app so far, in order. */
export function routesOf(app: FastifyInstance): readonly RouteDescription[] {
  return described.get(app) ?? [];
}

/**
 * Adds a route. What doesn't match its schemas is answered 400, with every field at fault named; query
 * parameters and fields that nobody knows are at fault too, since a limit with a typo in it limits nothing.
 */
export function route<
  Params extends z.ZodObject = Nothing,
  Query extends z.ZodObject = Nothing,
  Body extends z.ZodType = Nothing,
  Headers extends z.ZodObject = Nothing,
>(
  app: FastifyInstance,
  description: Route<Params, Query, Body, Headers>,
  handler: (
    input: RouteInput<z.output<Params>, z.output<Query>, z.output<Body>, z.output<Headers>>,
  ) => Promise<unknown>,
): void {
  const all = described.get(app) ?? [];
  all.push(description);
  described.set(app, all);
  const { method, url, params = nothing, query = nothing, body = nothing, headers = nothing } = description;
  app.route({
    method,
    url,
    handler: (request, reply) =>
      handler({
        params: checked(params, request.params, "path") as z.output<Params>,
        query: checked(query, request.query, "query") as z.output<Query>,
        body: checked(body, request.body ?? {}, "body") as z.output<Body>,
        headers: checked(headers, pick(headers, request.headers), "headers") as z.output<Headers>,
        request,
        reply,
      }),
  });
}

function checked(schema: z.ZodType, value: unknown, where: string): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = fieldErrors(parsed.error);
  throw new Problem(
    400,
    `The ${where} of the request is not as it has to be: ${errors.map(text).join("; ")}.`,
    errors,
  );
}

const text = ({ field, message }: { field: string; message: string }): string => `${field}: ${message}`;

/** The headers that a route knows; a request has many more. */
function pick(schema: z.ZodObject, headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(schema.shape)
      .filter((name) => headers[name] !== undefined)
      .map((name) => [name, headers[name]]),
  );
}
