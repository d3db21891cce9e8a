/**
 * Who is served next where several want the same: start-time fair queueing (Goyal, Vin, Cheng 1996). Each one's
 * share is as its weight; one that has not asked for a while saves nothing up.
 */

/** Where one is on the common way: so far as it was served, by weight. */
export interface Served {
  endsAt: number;
}

/** How far all of them have come together: where the last one that was served began. */
export class FairTurns {
  #at = 0;

  /** Where its next turn begins: the least of all is served first. */
  beginOf({ endsAt }: Served): number {
    return Math.max(endsAt, this.#at);
  }

  /** It is served once. */
  serve(one: Served, weight: number): void {
    this.#at = this.beginOf(one);
    one.endsAt = this.#at + 1 / weight;
  }
}

/** The share of a job in what it wants together with others: as its priority, and never nothing. */
export const weightOf = (priority: number): number => Math.max(1, priority);
