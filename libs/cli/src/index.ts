export { exitCodes, type Exit } from "./exit-codes.ts";
export { defaultJobName, prefixOf } from "./job-name.ts";
export { type Summary } from "./summary.ts";
