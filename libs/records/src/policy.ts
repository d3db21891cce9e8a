/** What the operator has said of hosts, by patterns of their names. */
import { z } from "zod";
import { mergedBudgets, policyBudgetsSchema } from "./policy-budgets.ts";

const milliseconds = z.int().nonnegative();
const label = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?";
const name = `${label}(?:\\.${label})*`;

/** Names which hosts a policy is for. The key of its record. */
export const policyPatternSchema = z
  .string()
  .max(255)
  .regex(
    new RegExp(`^(?:\\*|(?:\\*?\\.)?${name}|\\[[0-9a-f:.]+\\])$`),
    "a host name, .name for it and all below it, *.name for those below it, or * for all; lower-case, IDN as punycode",
  )
  .describe(
    "Hosts it is for: `www.example.org` that one, `*.example.org` all below example.org, `.example.org` example.org and all below it, `*` all.",
  );

/**
 * Where a process finds a secret, since a topic is no place for one. Only variables of this prefix can be named:
 * who may write policies must not be able to have the other secrets of a process sent to a host.
 */
export const secretRefSchema = z
  .union([
    z.strictObject({
      env: z.string().regex(/^SLUICE_SECRET_[A-Z0-9_]{1,100}$/, "SLUICE_SECRET_ and a name in capitals"),
    }),
    z.strictObject({
      file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "the name of a file, without a folder"),
    }),
  ])
  .describe(
    "A secret by name: an environment variable SLUICE_SECRET_… of the fetcher, or a file in its folder of secrets.",
  );
export type SecretRef = z.infer<typeof secretRefSchema>;

const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
/** What they carry is a secret by itself. */
const secretFields = /^(authorization|cookie|proxy-authorization|x-api-key|api-key|x-auth-token)$/i;
/** They frame the message or belong to the connection: not the operator's to set. */
const ownFields =
  /^(host|connection|content-length|transfer-encoding|upgrade|te|trailer|expect|keep-alive)$/i;
const plainValue = z.string().regex(/^[\x20-\x7e]{0,1000}$/, "printable ASCII");

const headersSchema = z
  .record(z.string().regex(fieldName, "a field name (RFC 9110 §5.1)"), z.union([plainValue, secretRefSchema]))
  .refine((headers) => Object.keys(headers).length <= 50, "at most 50 fields")
  .superRefine((headers, context) => {
    for (const [field, value] of Object.entries(headers)) {
      if (ownFields.test(field))
        context.addIssue({ code: "custom", path: [field], message: "is set by the client itself" });
      else if (typeof value === "string" && secretFields.test(field))
        context.addIssue({
          code: "custom",
          path: [field],
          message: "is a secret, which must not lie in a topic: name it, as {env: …} or {file: …}",
        });
    }
  });

const proxyUrl = z
  .string()
  .max(300)
  .superRefine((text, context) => {
    const url = URL.parse(text);
    const problem =
      url === null || (url.protocol !== "http:" && url.protocol !== "https:")
        ? "an http: or https: URL"
        : url.username !== "" || url.password !== ""
          ? "has a user or password, which must not lie in a topic: name them in credentials"
          : url.pathname !== "/" || url.search !== "" || url.hash !== ""
            ? "a scheme, host and port, without a path"
            : null;
    if (problem !== null) context.addIssue({ code: "custom", message: problem });
  });

/** Of several policies for a host each field counts from the most specific one that has it. */
export const policySchema = z.object({
  blocked: z
    .strictObject({
      reason: z.string().min(1).max(500).describe("Why, for those who ask."),
      forget: z
        .boolean()
        .optional()
        .describe(
          "True: nothing is kept of these hosts either, not even that their URLs are known. Without the block they are found anew.",
        ),
    })
    .nullable()
    .optional()
    .describe("Nothing is asked of these hosts any more, for no job. Null lifts what a wider pattern says."),
  delayMs: milliseconds
    .max(86_400_000)
    .optional()
    .describe("Least time between two requests to a host, in place of what jobs say."),
  concurrency: z
    .int()
    .min(1)
    .max(64)
    .optional()
    .describe("Most requests to a host at once, in place of what jobs say."),
  requestsPerMinuteMax: z
    .int()
    .positive()
    .max(1_000_000)
    .nullable()
    .optional()
    .describe("Requests to a host that may not be reached in any minute. Null: no such limit."),
  safetyShare: z
    .number()
    .positive()
    .max(1)
    .optional()
    .describe("Share of requestsPerMinuteMax that is used at most; 0.8 unless given."),
  timeouts: z
    .strictObject({
      connectMs: milliseconds.min(1).max(600_000).optional().describe("For name, TCP and TLS together."),
      headersMs: milliseconds
        .min(1)
        .max(600_000)
        .optional()
        .describe("From the request to the header's end."),
      bodyMs: milliseconds.min(1).max(600_000).optional().describe("Longest pause within the body."),
      totalMs: milliseconds.min(1).max(600_000).optional().describe("For everything."),
    })
    .optional()
    .describe("Of one request, in place of the fetcher's and of jobs'."),
  headers: headersSchema
    .optional()
    .describe("Added to each request. A secret is named, as `{env: …}` or `{file: …}`, never written."),
  userAgent: z
    .string()
    .regex(/^[\x21-\x7e][\x20-\x7e]{0,255}$/, "printable ASCII")
    .optional()
    .describe("User-Agent, in place of the fetcher's. The token looked for in robots.txt stays `sluice`."),
  proxy: z
    .strictObject({
      url: proxyUrl.describe("Scheme, host and port of the proxy."),
      credentials: secretRefSchema.optional().describe("`user:password` for it."),
    })
    .nullable()
    .optional()
    .describe("The way to these hosts. Null: none, whatever a wider pattern says."),
  localAddress: z
    .union([z.ipv4(), z.ipv6()])
    .nullable()
    .optional()
    .describe("Address of this machine that connections come from. Null: the system chooses."),
  tls: z
    .strictObject({
      verify: z.boolean().default(true).describe("False: certificates are not checked."),
    })
    .optional()
    .describe("How TLS is spoken with these hosts."),
  budgets: policyBudgetsSchema.optional(),
  forgetFailuresBeforeMs: milliseconds
    .optional()
    .describe("Failures of a host before this instant count no more: breaker, back-off, a host given up."),
  note: z.string().max(1000).optional().describe("For the operator: who asked, where it is written down."),
  updatedAtMs: milliseconds.default(0).describe("When it was written, epoch milliseconds."),
});
export type Policy = z.infer<typeof policySchema>;

/** What holds for one host. */
export type HostPolicy = Omit<Policy, "updatedAtMs" | "note">;

/** The patterns that may be for a host, most specific first. */
export function patternsFor(host: string): readonly string[] {
  // An address has no names below it.
  if (host.startsWith("[") || /^[0-9.]+$/.test(host)) return [host, "*"];
  const found = [host, `.${host}`];
  for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1))
    found.push(`*${host.slice(dot)}`, host.slice(dot));
  found.push("*");
  return found;
}

/** Whether a pattern can be for a host of a domain, which is a host name itself or what several have in common. */
export function mayConcern(pattern: string, domain: string): boolean {
  const base = pattern.replace(/^\*?\./, "");
  return base === "*" || base === domain || base.endsWith(`.${domain}`) || domain.endsWith(`.${base}`);
}

const none: HostPolicy = {};

/** What the policies say of a host: each field from the most specific pattern that has it. */
export function policyOf(host: string, policies: ReadonlyMap<string, unknown> | undefined): HostPolicy {
  if (policies === undefined || policies.size === 0) return none;
  let found: HostPolicy = none;
  for (const pattern of patternsFor(host)) {
    const policy = policies.get(pattern) as Policy | undefined;
    if (policy !== undefined) found = found === none ? policy : merged(policy, found);
  }
  return found;
}

/** Used at most, of the requests that may not be reached in any minute. */
const safetyShareDefault = 0.8;

/**
 * Requests to a host that are made in any minute at most; null: no such limit. Of several limits the least counts,
 * each less what is kept as a margin: of 1,200 are 960 used.
 */
export function perMinuteOf(policy: HostPolicy, jobMax: number | null): number | null {
  const limits = [policy.requestsPerMinuteMax ?? null, jobMax].filter((each) => each !== null);
  if (limits.length === 0) return null;
  return Math.max(1, Math.floor(Math.min(...limits) * (policy.safetyShare ?? safetyShareDefault)));
}

/** Headers, timeouts and budgets are taken one by one, for they are many settings in one field. */
function merged(wide: HostPolicy, narrow: HostPolicy): HostPolicy {
  return {
    ...wide,
    ...narrow,
    ...(wide.budgets === undefined ? {} : { budgets: mergedBudgets(wide.budgets, narrow.budgets ?? {}) }),
    ...(wide.headers === undefined ? {} : { headers: { ...wide.headers, ...narrow.headers } }),
    ...(wide.timeouts === undefined ? {} : { timeouts: { ...wide.timeouts, ...narrow.timeouts } }),
  };
}
