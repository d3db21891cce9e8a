import { expect, test } from "vitest";
import { parseResponseHeader } from "../src/response-header.ts";

test("joins the lines of a field, but not those of X-Robots-Tag, where a name counts for its own line", () => {
  const { fields } = parseResponseHeader(200, {
    "x-a": ["1", "2"],
    "x-robots-tag": ["otherbot: nofollow", "noindex"],
  });
  expect({ ...fields }).toEqual({ "x-a": "1, 2", "x-robots-tag": "otherbot: nofollow\nnoindex" });
});
