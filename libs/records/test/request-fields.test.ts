import { expect, test } from "vitest";
import { jobSchema } from "../src/index.ts";

const fetchOf = (fetch: object) => jobSchema.safeParse({ id: "j", fetch });

test("a job takes plain header fields, media types and names of secrets", () => {
  const fetch = {
    headers: { "X-Team": "search", "accept-language": "de, en;q=0.5" },
    contentTypes: ["text/*", "application/xhtml+xml"],
    secrets: ["docs", "intranet_2"],
    onTooLarge: "refuse",
  };
  expect(fetchOf(fetch).data?.fetch).toMatchObject(fetch);
});

test.each([
  "Authorization",
  "cookie",
  "Cookie2",
  "Proxy-Authorization",
  "proxy-connection",
  "Host",
  "connection",
  "Keep-Alive",
  "Content-Length",
  "Transfer-Encoding",
  "Upgrade",
  "TE",
  "Trailer",
  "Expect",
  "Accept-Encoding",
  "Range",
  "bad name",
  "x\r\ny",
  "",
  "__proto__ ",
])("refuses the header field %o", (name) => {
  expect(fetchOf({ headers: { [name]: "x" } }).success).toBe(false);
});

test.each(["a\r\nb", "a\nb", "\0", "ä", " a", "a ", "x".repeat(1001)])("refuses the value %o", (value) => {
  expect(fetchOf({ headers: { "x-a": value } }).success).toBe(false);
});

test("refuses more fields, secrets and types than a request needs, and names that are none", () => {
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`x-${n}`, "v"]));
  expect(fetchOf({ headers: many }).success).toBe(false);
  expect(fetchOf({ secrets: Array.from({ length: 17 }, (_, n) => `s${n}`) }).success).toBe(false);
  for (const name of ["../x", "A", "a-b", "", "1a", "a".repeat(51)])
    expect(fetchOf({ secrets: [name] }).success).toBe(false);
  for (const type of ["text", "*/*", "text/html; charset=x", "Text/HTML", "text/*x*"])
    expect(fetchOf({ contentTypes: [type] }).success).toBe(false);
});
