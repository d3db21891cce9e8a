/** Runs every test project and counts what really ran. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { runChild } from "./child.mjs";

/** One after the other: the Kafka tests start a broker, which the others should not wait for or share cores with. */
const projects = [
  "unit",
  "architecture",
  "kubernetes",
  "pipeline",
  "hostile",
  "docker",
  "page",
  "kafka",
  "chaos",
];

/**
 * Totals of one JSON report. A file that could not be loaded has no tests and still counts as a failure;
 * skipped has everything that did not run: skipped, pending and todo.
 */
export function totalsOf(report) {
  const brokenFiles = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numTotalTests - report.numPassedTests - report.numFailedTests,
  };
}

function readTotals(file) {
  try {
    return totalsOf(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

/** The projects named with --project, or all; the other arguments go to vitest as they are. */
export function selectProjects(args) {
  const named = [];
  const rest = [];
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index];
    if (argument === "--project") named.push(args[(index += 1)]);
    else if (argument.startsWith("--project=")) named.push(argument.slice("--project=".length));
    else rest.push(argument);
  }
  return { chosen: named.length > 0 ? named : projects, rest };
}

/** Resolves to 0 only where at least one test ran, none failed and every run of vitest ended well. */
export async function runTests(node, root, args, env) {
  const { chosen, rest } = selectProjects(args);
  const reports = mkdtempSync(path.join(tmpdir(), "sluice-tests-"));
  const sum = { passed: 0, failed: 0, skipped: 0 };
  try {
    for (const project of chosen) {
      const report = path.join(reports, `${project}.json`);
      const code = await runChild(
        node,
        [
          path.join(root, "node_modules", "vitest", "vitest.mjs"),
          "run",
          `--project=${project}`,
          "--passWithNoTests",
          "--reporter=default",
          "--reporter=json",
          `--outputFile.json=${report}`,
          ...rest,
        ],
        { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] },
      );
      const totals = readTotals(report) ?? { passed: 0, failed: 0, skipped: 0 };
      const unexplained = code !== 0 && totals.failed === 0;
      if (unexplained)
        process.stdout.write(
          `The ${project} tests ended with exit code ${code} without a failed test: counted as one failure.\n`,
        );
      sum.passed += totals.passed;
      sum.failed += totals.failed + (unexplained ? 1 : 0);
      sum.skipped += totals.skipped;
      if (code > 128) break;
    }
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
  process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`);
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1;
}
