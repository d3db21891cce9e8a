import { join } from "node:path";
import { readConfig, sinkSettings } from "@sluice/config";
import { messageOf } from "@sluice/errors";
import { runProcess } from "@sluice/process";
import { topics } from "@sluice/records";
import { JsonlFile } from "./jsonl-file.ts";
import { defaultSinkOptions } from "./options.ts";
import { sinkInputs, sinkStep, type SinkCall, type SinkOutcome } from "./step.ts";

await runProcess("result-sink", async ({ broker, layout, log }) => {
  const settings = readConfig(sinkSettings, process.env);
  const file = await JsonlFile.open(join(settings.dir, "results.jsonl"));
  const marks = await broker.admin.watermarks(layout.prefix + topics.results.name);
  if (await file.forgetIfRecreated(marks.map(({ high }) => high)))
    log.warn({ path: file.path }, "results_topic_recreated");
  return {
    step: sinkStep({ ...defaultSinkOptions, batchMax: settings.batchMax, lingerMs: settings.lingerMs }),
    inputs: sinkInputs,
    tables: [],
    changelog: null,
    perform: async ({ rows }: SinkCall): Promise<SinkOutcome> => {
      try {
        await file.append(rows);
        return { kind: "written" };
      } catch (error) {
        log.warn({ message: messageOf(error), rows: rows.length }, "write_failed");
        return { kind: "failed", message: messageOf(error) };
      }
    },
    close: () => file.close(),
  };
});
