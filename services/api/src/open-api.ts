/** The OpenAPI 3.1 document, made from the routes as they are. */
import { z } from "zod";
import { problemSchema, problemType } from "./problem.ts";
import type { RouteAnswer, RouteDescription } from "./route.ts";

type Json = Readonly<Record<string, unknown>>;

export function openApi(routes: readonly RouteDescription[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const each of routes) {
    const path = each.url.replaceAll(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[each.method.toLowerCase()] = operation(each);
  }
  return {
    openapi: "3.1.0",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: { title: "Sluice", version, summary: "Crawl jobs, their events and their results." },
    // Where no token is configured none is asked for.
    security: [{ bearer: [] }, {}],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
      schemas: { Problem: jsonSchema(problemSchema, "output") },
    },
  };
}

function operation(each: RouteDescription): Json {
  const parameters = [
    ...parametersIn("path", each.params),
    ...parametersIn("query", each.query),
    ...parametersIn("header", each.headers),
  ];
  return {
    summary: each.summary,
    operationId: operationId(each),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(each.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { "application/json": { schema: jsonSchema(each.body, "input") } },
          },
        }),
    responses: {
      ...Object.fromEntries(
        Object.entries(each.responses).map(([status, answer]) => [status, response(answer)]),
      ),
      default: {
        description: "What was wrong.",
        content: { [problemType]: { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
    ...(each.url === "/livez" ? { security: [] } : {}),
  };
}

function operationId({ method, url }: RouteDescription): string {
  const words = url
    .split("/")
    .flatMap((part) => part.replace(/^:/, "by-").split(/[-.]/))
    .filter((word) => word !== "");
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

function response({ description, schema, contentType = "application/json" }: RouteAnswer): Json {
  if (schema === undefined && contentType === "application/json") return { description };
  const content = schema === undefined ? { type: "string" } : jsonSchema(schema, "output");
  return { description, content: { [contentType]: { schema: content } } };
}

function parametersIn(place: "path" | "query" | "header", schema: z.ZodObject | undefined): readonly Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, "input") as {
    properties?: Record<string, Json>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
  return rest;
}
