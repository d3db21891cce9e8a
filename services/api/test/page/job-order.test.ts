import { describe, expect, it } from "vitest";
import { orderBody, placeErrors, type FormValues } from "../../page/job-order.ts";
import { submissionSchema } from "../../src/submission.ts";

const values = (fields: Partial<FormValues> = {}): FormValues => ({
  seeds: "https://a.example/",
  id: "",
  scope: "",
  maxPages: "",
  maxDepth: "",
  delayMs: "",
  ...fields,
});

describe("the form for a new job", () => {
  it("makes a body that the API takes, and leaves out what was left empty", () => {
    expect(orderBody(values())).toEqual({ seeds: ["https://a.example/"] });
    const full = orderBody(
      values({
        seeds: "\n https://a.example/ \n\nhttps://b.example/x\n",
        id: "2026",
        scope: "domain",
        maxPages: "500",
        maxDepth: "0",
        delayMs: " 250 ",
      }),
    );
    expect(full).toEqual({
      seeds: ["https://a.example/", "https://b.example/x"],
      id: "2026",
      scope: { kind: "domain" },
      limits: { maxPages: 500, maxDepth: 0 },
      politeness: { delayMs: 250 },
    });
    expect(submissionSchema.safeParse(full).success).toBe(true);
  });

  it("hands on what is no number as it was typed, so that the API objects to it", () => {
    const body = orderBody(values({ maxPages: "many", delayMs: "-5" }));
    expect(body).toMatchObject({ limits: { maxPages: "many" }, politeness: { delayMs: -5 } });
    expect(submissionSchema.safeParse(body).error?.issues.map(({ path }) => path.join("."))).toEqual([
      "limits.maxPages",
      "politeness.delayMs",
    ]);
  });

  it("puts each objection beside its field, with the line of a URL, and keeps the rest for the form", () => {
    const { fields, rest } = placeErrors(
      [
        { field: "seeds.1", message: "has no host" },
        { field: "seeds.0", message: "is too long" },
        { field: "limits.maxPages", message: "too small" },
        { field: "politeness.delayMs", message: "too big" },
        { field: "scope.kind", message: "unknown" },
        { field: "id", message: "is taken" },
        { field: "fetch.attemptsMax", message: "odd" },
        { field: "body", message: "is no JSON" },
      ],
      values({ seeds: "\nx\n\ny" }),
    );
    expect(Object.fromEntries(fields)).toEqual({
      seeds: ["Line 4: has no host", "Line 2: is too long"],
      maxPages: ["too small"],
      delayMs: ["too big"],
      scope: ["unknown"],
      id: ["is taken"],
    });
    expect(rest).toEqual(["fetch.attemptsMax: odd", "is no JSON"]);
  });
});
