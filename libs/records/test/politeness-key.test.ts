import { describe, expect, test } from "vitest";
import { isOfDomain, politenessKeyOf } from "../src/politeness-key.ts";

const lastTwo = (host: string): string => host.split(".").slice(-2).join(".");

describe("the domain of a host", () => {
  test("is the host itself, or what several have in common", () => {
    expect(politenessKeyOf("host", "a.site.example", lastTwo)).toBe("a.site.example");
    expect(politenessKeyOf("registrable-domain", "a.site.example", lastTwo)).toBe("site.example");
  });

  test("may be that of a record about the host by any list of suffixes, and never that of a stranger", () => {
    expect(isOfDomain("host", "site.example", "a.site.example")).toBe(false);
    expect(isOfDomain("host", "a.site.example", "a.site.example")).toBe(true);
    for (const domain of ["site.example", "a.site.example"])
      expect(isOfDomain("registrable-domain", domain, "a.site.example")).toBe(true);
    for (const domain of ["b.site.example", "ite.example", "x.a.site.example", ""])
      expect(isOfDomain("registrable-domain", domain, "a.site.example")).toBe(false);
  });
});
