import { writeSync } from "node:fs";
import { JsonlFile } from "../src/jsonl-file.ts";
import { rowAt } from "./rows.ts";

/** Writes rows of three partitions for ever, from given offsets on, and tells what was acknowledged. */
const [path = "", ...from] = process.argv.slice(2);
const file = await JsonlFile.open(path);

async function writeRows(partition: number, start: number): Promise<never> {
  for (let offset = start; ;) {
    const count = 1 + (offset % 5);
    await file.append(Array.from({ length: count }, (_, index) => rowAt(partition, offset + index)));
    offset += count;
    writeSync(1, `${partition} ${offset}\n`);
  }
}

await Promise.all(from.map((start, partition) => writeRows(partition, Number(start))));
