import { registrableDomain } from "@sluice/web";

/**
 * Politeness domains on which a job has URLs that wait. Those of one registrable domain are found without a look at the
 * others; the index is made when it is first asked for, since most jobs never do.
 */
export class JobHosts implements Iterable<string> {
  readonly #all = new Set<string>();
  readonly #registrableOf: (host: string) => string;
  #byRegistrable: Map<string, Set<string>> | null = null;

  constructor(registrableOf: (host: string) => string = registrableDomain) {
    this.#registrableOf = registrableOf;
  }

  get size(): number {
    return this.#all.size;
  }

  has(host: string): boolean {
    return this.#all.has(host);
  }

  add(host: string): void {
    if (this.#all.has(host)) return;
    this.#all.add(host);
    if (this.#byRegistrable !== null) this.#index(this.#byRegistrable, host);
  }

  delete(host: string): void {
    if (!this.#all.delete(host) || this.#byRegistrable === null) return;
    const registrable = this.#registrableOf(host);
    const hosts = this.#byRegistrable.get(registrable);
    hosts?.delete(host);
    if (hosts?.size === 0) this.#byRegistrable.delete(registrable);
  }

  clear(): void {
    this.#all.clear();
    this.#byRegistrable = null;
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#all[Symbol.iterator]();
  }

  /** Those of the registrable domain, itself included. */
  of(registrable: string): Iterable<string> {
    if (this.#byRegistrable === null) {
      this.#byRegistrable = new Map();
      for (const host of this.#all) this.#index(this.#byRegistrable, host);
    }
    return this.#byRegistrable.get(registrable) ?? [];
  }

  #index(byRegistrable: Map<string, Set<string>>, host: string): void {
    const registrable = this.#registrableOf(host);
    const hosts = byRegistrable.get(registrable);
    if (hosts === undefined) byRegistrable.set(registrable, new Set([host]));
    else hosts.add(host);
  }
}
