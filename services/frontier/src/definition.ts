/** What frontier is made of, for a process of its own and for one that runs it inside itself. */
import { frontierSettings } from "@sluice/config";
import { LagWatch, hostable } from "@sluice/process";
import { topics } from "@sluice/records";
import { gaugeFrontier } from "./gauges.ts";
import { measureAnswer, measureFrontier } from "./measure.ts";
import { defaultFrontierOptions } from "./options.ts";
import { frontierInputs, frontierStep, frontierTables } from "./step.ts";

export const frontierService = hostable(
  "frontier",
  frontierSettings,
  ({ broker, clock, config, layout, log }) => {
    const watch = new LagWatch({
      broker,
      clock,
      groups: config.backpressureGroups.map((group) => ({
        group: layout.prefix + group,
        topic: layout.prefix + topics.results.name,
      })),
      lagMax: config.lagMax,
      everyMs: 1000,
      log: (event, fields) => log.info(fields, event),
      onChanged: () => onFlowChanged(),
    });
    let onFlowChanged = (): void => undefined;
    return {
      step: frontierStep({
        ...defaultFrontierOptions,
        politenessKey: layout.politenessKey,
        windowMax: config.windowMax,
        releasedMax: config.releasedMax,
        leaseMs: config.leaseMs,
      }),
      inputs: frontierInputs,
      tables: frontierTables,
      changelog: topics.frontierState.name,
      perform: () => Promise.reject(new Error("the frontier makes no calls")),
      measure: measureFrontier,
      measureRead: measureAnswer,
      gauges: gaugeFrontier(watch),
      localTables: new Map([["flow", watch.flow]]),
      beside: (service) => {
        onFlowChanged = () => service.localTableChanged("flow", "release");
        watch.start();
        return () => watch.stop();
      },
    };
  },
);
