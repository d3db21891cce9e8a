/** `node services/fetcher/src/audit-main.ts < log`: reads what fetchers have logged, ends with 1 where a host was asked too soon. */
import { createInterface } from "node:readline";
import { checkAudit } from "./audit-check.ts";

const lines: string[] = [];
for await (const line of createInterface({ input: process.stdin }))
  if (line.includes('"request"')) lines.push(line);
const report = checkAudit(lines);
process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
process.exitCode = report.faultsCount === 0 ? 0 : 1;
