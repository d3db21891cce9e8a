import type { Figures } from "@sluice/runtime";

export interface Check {
  readonly ok: boolean;
  readonly detail: string;
}

/** What is asked of a service of the runtime. */
export interface Readied {
  figures(): Figures;
  phases(): ReadonlyMap<string, number>;
  readonly joinedOnce: boolean;
  readonly tablesReady: boolean;
}

/** What has to hold before a service does its work, each by its name. */
export function readinessChecks(service: Readied): Readonly<Record<string, Check>> {
  const { checkpointAgeMs, heartbeatAgeMs, heardLately, tasks, restore, draining } = service.figures();
  const heard = heartbeatAgeMs === null ? "never" : `${(heartbeatAgeMs / 1000).toFixed(1)} s ago`;
  const phases = [...service.phases()].map(([phase, count]) => `${count} ${phase}`).join(", ");
  const checkpoint =
    checkpointAgeMs === null ? "" : `; checkpoint ${(checkpointAgeMs / 1000).toFixed(0)} s ago`;
  const changelog = restore.target > 0 ? `; changelog ${restore.read} of ${restore.target}` : "";
  return {
    broker: { ok: heardLately, detail: `the group answered ${heard}` },
    joined: { ok: service.joinedOnce, detail: service.joinedOnce ? `${tasks.all} tasks` : "not yet" },
    tables: { ok: service.tablesReady, detail: service.tablesReady ? "read" : "not read to their ends" },
    tasks: {
      ok: tasks.running === tasks.all,
      detail: `${tasks.running} of ${tasks.all} run${phases === "" ? "" : ` (${phases})`}${changelog}${checkpoint}`,
    },
    draining: { ok: !draining, detail: draining ? "yes" : "no" },
  };
}
