import { expect, test } from "vitest";
import { failuresOf } from "../../scripts/test-run.mjs";

const reportOf = (message: string): object => ({
  testResults: [
    {
      name: "budgets.test.ts",
      status: "failed",
      message: "",
      assertionResults: [
        { status: "passed", fullName: "holds" },
        { status: "failed", fullName: "is never exceeded", failureMessages: [message] },
      ],
    },
  ],
});

test("a failed property is told with its seed and its example, not with the calls that led to it", () => {
  const message = [
    "Error: Property failed after 11 tests",
    '{ seed: -502010289, path: "110", endOnFailure: true }',
    "Counterexample: [1834996038]",
    "Shrunk 0 time(s)",
    "",
    "Hint: Enable verbose mode",
    "    at buildError (fast-check.js:2469:16)",
  ].join("\n");
  expect(failuresOf(reportOf(message))).toEqual([
    `budgets.test.ts > is never exceeded: ${message.split("\n").slice(0, 4).join(" | ")}`,
  ]);
});

test("a reason of one line is told without its calls, and a long one is cut", () => {
  expect(failuresOf(reportOf("AssertionError: expected 1 to be 2\n    at run (a.ts:1:1)"))).toEqual([
    "budgets.test.ts > is never exceeded: AssertionError: expected 1 to be 2",
  ]);
  expect(failuresOf(reportOf("x".repeat(5000)))[0]?.length).toBeLessThan(500);
});

test("a file that could not be loaded is told with its reason", () => {
  const file = { name: "a.test.ts", status: "failed", message: "SyntaxError: no", assertionResults: [] };
  expect(failuresOf({ testResults: [file] })).toEqual(["a.test.ts: SyntaxError: no"]);
});
