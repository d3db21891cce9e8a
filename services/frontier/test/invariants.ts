import { openOf } from "@sluice/records";
import type { FrontierState } from "../src/core/state.ts";

/** What holds in a frontier task after every step; throws a sentence where it does not. */
export function checkTask(state: FrontierState): void {
  let outstanding = 0;
  const outByDomain = new Map<string, number>();
  for (const view of state.views.values()) {
    const { tally } = view;
    const is = { open: 0, waiting: 0, inFlight: 0, needing: 0, done: 0, failed: 0, skipped: 0 };
    for (const entry of view.urls.values()) {
      is[entry.kind] += 1;
      if (entry.kind !== "open") continue;
      if (entry.releaseId === null) {
        is.waiting += 1;
        if (!entry.granted) is.needing += 1;
      } else {
        is.inFlight += 1;
        outByDomain.set(entry.domain, (outByDomain.get(entry.domain) ?? 0) + 1);
      }
    }
    outstanding += is.inFlight;
    equal(`${view.id}: open`, openOf(tally), is.open);
    equal(`${view.id}: waiting`, view.waiting, is.waiting);
    equal(`${view.id}: in flight`, view.inFlight, is.inFlight);
    equal(`${view.id}: grants needed`, view.grantsNeeded, is.needing);
    if (view.urls.size > 0) {
      equal(`${view.id}: done`, tally.done, is.done);
      equal(`${view.id}: failed`, tally.failed, is.failed);
      equal(`${view.id}: skipped`, tally.skipped, is.skipped);
    }
    if (view.grantsHeld < 0) throw new Error(`${view.id}: ${view.grantsHeld} grants held`);
    for (const count of Object.values(tally))
      if (count < 0) throw new Error(`${view.id}: a counter below zero`);
  }
  equal("outstanding in all", state.total.outstanding, outstanding);
  for (const host of state.hosts.values())
    equal(`${host.domain}: outstanding`, host.window.outstanding, outByDomain.get(host.domain) ?? 0);
}

function equal(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: ${found} where ${expected} are`);
}
