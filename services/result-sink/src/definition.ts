/** What result-sink is made of, for a process of its own and for one that runs it inside itself. */
import { join } from "node:path";
import { sinkSettings } from "@sluice/config";
import { messageOf } from "@sluice/errors";
import { hostable } from "@sluice/process";
import { topics } from "@sluice/records";
import { realDisk } from "./disk.ts";
import { gaugeSink } from "./gauges.ts";
import { JsonlFile } from "./jsonl-file.ts";
import { measureWrite } from "./measure.ts";
import { defaultSinkOptions } from "./options.ts";
import { sinkInputs, sinkStep, type SinkCall, type SinkOutcome } from "./step.ts";

export const resultSinkService = hostable(
  "result-sink",
  sinkSettings,
  async ({ broker, config, layout, log }) => {
    const options = {
      ...defaultSinkOptions,
      batchMax: config.batchMax,
      lingerMs: config.lingerMs,
      idsMax: config.idsMax,
    };
    const file = await JsonlFile.open(join(config.dir, "results.jsonl"), realDisk(), options.idsMax);
    const marks = await broker.admin.watermarks(layout.prefix + topics.results.name);
    if (await file.forgetIfRecreated(marks.map(({ high }) => high)))
      log.warn({ path: file.path }, "results_topic_recreated");
    return {
      step: sinkStep(options),
      inputs: sinkInputs,
      tables: [],
      changelog: null,
      perform: async ({ rows }: SinkCall): Promise<SinkOutcome> => {
        try {
          const { repeated } = await file.append(rows);
          return { kind: "written", repeated };
        } catch (error) {
          log.warn({ message: messageOf(error), rows: rows.length }, "write_failed");
          return { kind: "failed", message: messageOf(error) };
        }
      },
      measureCall: measureWrite,
      gauges: gaugeSink(file, options),
      close: () => file.close(),
    };
  },
);
