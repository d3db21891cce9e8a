import type { Join } from "@sluice/runtime";

/**
 * Since when a member has had each of its tasks without a gap. Kafka takes offsets of any partition from any
 * member of the present generation, and records from anybody; so, without transactions, a process that was stopped
 * and woken would commit, as the member it has just become, what it did as the one it was, and write beside its
 * successor until it hears that it has one.
 */
export class Tenures {
  readonly #nowMs: () => number;
  readonly #sessionTimeoutMs: number;
  #heardAtMs = -Infinity;
  /** When the group was heard of before: what it answered last was asked after that, however late it is read. */
  #aliveAtMs = -Infinity;
  #memberId: string | null = null;
  #generation = 0;
  #begun = 0;
  #tenures = new Map<number, number>();

  /** @param nowMs of a clock that goes on while the process is stopped, and never back */
  constructor(nowMs: () => number, sessionTimeoutMs: number) {
    this.#nowMs = nowMs;
    this.#sessionTimeoutMs = sessionTimeoutMs;
  }

  /** To be told of each join, before anybody else is. */
  joined({ memberId, generation, tasks }: Join): void {
    const generations = generation - this.#generation;
    const comesBack = memberId === this.#memberId && generations >= 0 && generations <= 1;
    const before = comesBack ? this.#tenures : new Map<number, number>();
    this.#heardAtMs = this.#nowMs();
    this.#aliveAtMs = this.#heardAtMs;
    this.#memberId = memberId;
    this.#generation = generation;
    this.#begun += 1;
    this.#tenures = new Map(tasks.map((task) => [task, before.get(task) ?? this.#begun]));
  }

  /** To be told of each heartbeat that the group has answered. */
  heard(): void {
    this.#aliveAtMs = this.#heardAtMs;
    this.#heardAtMs = this.#nowMs();
  }

  /** Names the present tenure; null where the task is not this member's, or may be another's since. */
  of(task: number): number | null {
    if (this.#nowMs() - this.#aliveAtMs > this.#sessionTimeoutMs) return null;
    return this.#tenures.get(task) ?? null;
  }
}

/** Group and task of a transactional id, which is made of the two. */
export function taskOf(transactionalId: string): { readonly group: string; readonly task: number } {
  const dash = transactionalId.lastIndexOf("-");
  return { group: transactionalId.slice(0, dash), task: Number(transactionalId.slice(dash + 1)) };
}
