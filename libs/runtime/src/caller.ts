import type { InputRecord } from "@sluice/topology";
import type { QueuedCall } from "./call-queue.ts";
import type { Kernel } from "./kernel.ts";
import type { Stepper } from "./stepper.ts";

/** Begins the calls that steps asked for, as slots are free, and steps their answers back in. */
export class Caller<State, Rec extends InputRecord, Call, Outcome> {
  readonly #kernel: Kernel<State, Rec, Call, Outcome>;
  readonly #stepper: Stepper<State, Rec, Call, Outcome>;
  #withheld = false;

  constructor(kernel: Kernel<State, Rec, Call, Outcome>, stepper: Stepper<State, Rec, Call, Outcome>) {
    this.#kernel = kernel;
    this.#stepper = stepper;
  }

  /** No request starts when we may have lost the domain: Kafka's fencing can't stop one. */
  begin(): void {
    const { closing, calls, clock, heartbeats, options, probe, loop } = this.#kernel;
    if (closing || calls.waiting === 0) return;
    if (!heartbeats.lately) {
      // Told once, not each turn.
      if (!this.#withheld) probe.callsWithheld(calls.waiting);
      this.#withheld = true;
      return;
    }
    this.#withheld = false;
    const nowMs = clock.nowMs();
    for (;;) {
      const call = calls.begin(nowMs);
      if (call === null) return;
      const task = this.#kernel.taskOf(call.task, call.epoch);
      if (task === null) {
        calls.end(call);
        continue;
      }
      this.#stepper.step(task, { kind: "started", callId: call.callId, lane: call.lane });
      options.perform(call.request, call.controller.signal).then(
        (outcome) => loop.enqueue({ kind: "settled", call, outcome }),
        (error: unknown) => loop.fail(error),
      );
    }
  }

  settled(call: QueuedCall<Call>, outcome: Outcome): void {
    this.#kernel.calls.end(call);
    const task = this.#kernel.taskOf(call.task, call.epoch);
    if (task === null || task.phase !== "running") {
      // From an older epoch: the records it belongs to are someone else's now, or come again.
      this.#kernel.probe.staleSettle();
      return;
    }
    task.calls.delete(call.callId);
    this.#stepper.step(task, { kind: "settled", callId: call.callId, lane: call.lane, outcome });
  }
}
