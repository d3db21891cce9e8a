import { expect, test } from "vitest";
import { Awaited } from "./awaited.ts";

test("results of other jobs, of other runs and of the same page do not stand for those that are still to come", () => {
  const awaited = new Awaited();
  awaited.add("chaos", 1, ["http://a/1", "http://a/2"]);
  awaited.add("behind", 1, ["http://a/1"]);

  awaited.came({ job: "chaos", run: 1, url: "http://a/1" });
  awaited.came({ job: "chaos", run: 1, url: "http://a/1" });
  awaited.came({ job: "chaos", run: 2, url: "http://a/2" });
  awaited.came({ job: "behind", run: 1, url: "http://a/3" });
  expect(awaited.count).toBe(2);

  awaited.came({ job: "behind", run: 1, url: "http://a/1" });
  awaited.came({ job: "chaos", run: 1, url: "http://a/2" });
  expect(awaited.count).toBe(0);
});
