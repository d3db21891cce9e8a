import { frontierSettings, readConfig } from "@sluice/config";
import { LagWatch, runProcess } from "@sluice/process";
import { topics } from "@sluice/records";
import { defaultFrontierOptions } from "./options.ts";
import { frontierInputs, frontierStep, frontierTables } from "./step.ts";

await runProcess("frontier", ({ broker, clock, layout, log }) => {
  const settings = readConfig(frontierSettings, process.env);
  const watch = new LagWatch({
    broker,
    clock,
    groups: settings.backpressureGroups.map((group) => ({
      group: layout.prefix + group,
      topic: layout.prefix + topics.results.name,
    })),
    lagMax: settings.lagMax,
    everyMs: 1000,
    log: (event, fields) => log.info(fields, event),
    onChanged: () => onFlowChanged(),
  });
  let onFlowChanged = (): void => undefined;
  return {
    step: frontierStep({
      ...defaultFrontierOptions,
      windowMax: settings.windowMax,
      releasedMax: settings.releasedMax,
      leaseMs: settings.leaseMs,
    }),
    inputs: frontierInputs,
    tables: frontierTables,
    changelog: topics.frontierState.name,
    perform: () => Promise.reject(new Error("the frontier makes no calls")),
    localTables: new Map([["flow", watch.flow]]),
    beside: (service) => {
      onFlowChanged = () => service.localTableChanged("flow", "release");
      watch.start();
      return () => watch.stop();
    },
  };
});
