/** The topics of a cluster, made or looked at on their own: before services start, or where others make topics. */
import type { Broker, Clock } from "@sluice/runtime";
import type { TopicLayout } from "@sluice/records";
import { createTopics, driftText, topicDrift, topicSpecs } from "./topic-setup.ts";

/** `create` makes what is missing; `wait` looks again until all is as it has to be; `check` looks once. */
export const topicsActions = ["create", "check", "wait"] as const;
export type TopicsAction = (typeof topicsActions)[number];

export interface TopicsRun {
  readonly broker: Pick<Broker, "admin">;
  readonly layout: TopicLayout;
  readonly action: TopicsAction;
  readonly clock: Pick<Clock, "monotonicMs" | "after">;
  /** Gets one line each: what was created, what differs, what is waited for. */
  readonly say: (line: string) => void;
  /** For `wait`: it gives up after this time. */
  readonly limitMs?: number;
}

const defaultLimitMs = 300_000;
const lookAgainMs = 2_000;

/** Existing topics are never changed. Returns whether every topic of the table is as it has to be in the end. */
export async function runTopics({
  broker,
  layout,
  action,
  clock,
  say,
  limitMs = defaultLimitMs,
}: TopicsRun): Promise<boolean> {
  const specs = topicSpecs(layout);
  if (action === "create") {
    for (const name of await createTopics(broker, layout)) say(`${name}: created`);
  }
  const untilMs = clock.monotonicMs() + (action === "wait" ? limitMs : 0);
  let toldBefore = "";
  for (;;) {
    const drift = await topicDrift(broker, layout);
    if (drift.length === 0) {
      say(`${specs.length} topics are as they have to be`);
      return true;
    }
    const told = driftText(drift);
    if (told !== toldBefore) say(told);
    toldBefore = told;
    if (clock.monotonicMs() >= untilMs) return false;
    await new Promise<void>((resolve) => void clock.after(lookAgainMs, resolve));
  }
}
