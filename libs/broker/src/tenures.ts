import type { Join } from "@sluice/runtime";

/**
 * Since when a member has had each of its tasks without a gap. Kafka takes offsets of any partition from any
 * member of the present generation; so, without transactions, a process that was stopped and woken would
 * commit, as the member it has just become, what it did as the one it was.
 */
export class Tenures {
  #memberId: string | null = null;
  #generation = 0;
  #begun = 0;
  #tenures = new Map<number, number>();

  /** To be told of each join, before anybody else is. */
  joined({ memberId, generation, tasks }: Join): void {
    const generations = generation - this.#generation;
    const comesBack = memberId === this.#memberId && generations >= 0 && generations <= 1;
    const before = comesBack ? this.#tenures : new Map<number, number>();
    this.#memberId = memberId;
    this.#generation = generation;
    this.#begun += 1;
    this.#tenures = new Map(tasks.map((task) => [task, before.get(task) ?? this.#begun]));
  }

  /** Names the present tenure; null where the task is not this member's. */
  of(task: number): number | null {
    return this.#tenures.get(task) ?? null;
  }
}

/** Group and task of a transactional id, which is made of the two. */
export function taskOf(transactionalId: string): { readonly group: string; readonly task: number } {
  const dash = transactionalId.lastIndexOf("-");
  return { group: transactionalId.slice(0, dash), task: Number(transactionalId.slice(dash + 1)) };
}
