/** Runs every test project and counts what really ran. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { constants, setPriority, tmpdir } from "node:os";
import path from "node:path";
import { runChild } from "./child.mjs";

/**
 * What need not be alone on a machine runs beside the tests that wait for a broker, and leaves them the cores whenever
 * they want them. The rest measures memory, paints pages or kills processes, and follows one after the other.
 */
const beside = ["unit", "architecture", "kubernetes", "pipeline"];
const alone = ["kafka", "hostile", "docker", "page", "chaos"];
const projects = [...beside, ...alone];

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

const reasonLinesMax = 4;
const reasonLengthMax = 400;

/** What failed, a line each with its reason: the end of a long output is what a reader sees first. */
export function failuresOf(report) {
  const reasonOf = (text) => {
    const lines = (text ?? "").trim().split("\n");
    // A property test says its seed and its example in the lines after the first; then come calls or a comparison.
    const end = lines.findIndex((line) => line.trim() === "" || /^\s+at /.test(line));
    const reason = lines.slice(0, Math.min(end === -1 ? lines.length : end, reasonLinesMax)).join(" | ");
    return reason.slice(0, reasonLengthMax);
  };
  return report.testResults.flatMap((file) => {
    const failed = file.assertionResults.filter((test) => test.status === "failed");
    if (failed.length === 0 && file.status === "failed") return [`${file.name}: ${reasonOf(file.message)}`];
    return failed.map((test) => `${file.name} > ${test.fullName}: ${reasonOf(test.failureMessages?.[0])}`);
  });
}

function readReport(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
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
  const failures = [];
  let interrupted = false;

  /** Runs one project and adds what came of it; `output` is where it prints. */
  const runProject = async (project, output, isPatient) => {
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
      { cwd: root, env, stdio: ["ignore", output, output] },
      (pid) => isPatient && setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL),
    );
    const results = readReport(report);
    const totals = results === undefined ? { passed: 0, failed: 0, skipped: 0 } : totalsOf(results);
    const unexplained = code !== 0 && totals.failed === 0;
    if (unexplained)
      failures.push(`${project} ended with exit code ${code} without a failed test: counted as one failure`);
    for (const failure of results === undefined ? [] : failuresOf(results))
      failures.push(`${project}: ${failure}`);
    sum.passed += totals.passed;
    sum.failed += totals.failed + (unexplained ? 1 : 0);
    sum.skipped += totals.skipped;
    if (code > 128) interrupted = true;
  };

  const runPatiently = async () => {
    for (const project of chosen.filter((each) => beside.includes(each))) {
      if (interrupted) return;
      const file = path.join(reports, `${project}.txt`);
      const output = openSync(file, "w");
      await runProject(project, output, true);
      closeSync(output);
      // In one piece: lines of two runs in turn are of no use to a reader.
      process.stdout.write(readFileSync(file));
    }
  };

  const runAlone = async (several) => {
    for (const project of several) if (!interrupted) await runProject(project, "inherit", false);
  };

  try {
    const rigid = chosen.filter((each) => !beside.includes(each));
    if (rigid.length === 0 || rigid.length === chosen.length) await runAlone(chosen);
    else {
      const [first, ...others] = rigid;
      await Promise.all([runPatiently(), runAlone([first])]);
      await runAlone(others);
    }
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
  for (const failure of failures) process.stdout.write(`FAILED ${failure}\n`);
  process.stdout.write(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped\n`);
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1;
}
