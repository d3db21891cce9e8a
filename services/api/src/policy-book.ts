/** What the operator has said of hosts, by pattern. */
import { decodeRecord, topics, type Policy } from "@sluice/records";
import type { Batch } from "@sluice/runtime";

export class PolicyBook {
  readonly #policies = new Map<string, Policy>();

  fold({ records }: Batch): void {
    for (const { key, value } of records) {
      const pattern = key?.toString("utf8") ?? "";
      const decoded = decodeRecord(topics.policies.name, value);
      // As every service does it: what can't be read changes nothing.
      if (decoded.kind === "tombstone") this.#policies.delete(pattern);
      else if (decoded.kind === "value") this.#policies.set(pattern, decoded.value as Policy);
    }
  }

  get all(): ReadonlyMap<string, Policy> {
    return this.#policies;
  }

  /** In order, so that every replica lists them alike. */
  patterns(): readonly string[] {
    return [...this.#policies.keys()].sort();
  }
}
