/** Domains of a job of which what is fresh waits for units of a budget, with those of one budget at hand. */
export class Gates {
  readonly #names = new Map<string, string>();
  readonly #domains = new Map<string, Set<string>>();

  /** The name of the budget that the domain waits for; undefined: none. */
  get(domain: string): string | undefined {
    return this.#names.get(domain);
  }

  has(domain: string): boolean {
    return this.#names.has(domain);
  }

  /** All that wait. */
  domains(): Iterable<string> {
    return this.#names.keys();
  }

  /** How many wait for the budget, the domain itself left out. */
  othersFor(name: string, domain: string): number {
    const waiting = this.#domains.get(name);
    if (waiting === undefined) return 0;
    return waiting.size - (waiting.has(domain) ? 1 : 0);
  }

  close(domain: string, name: string): void {
    if (this.#names.get(domain) === name) return;
    this.open(domain);
    this.#names.set(domain, name);
    const waiting = this.#domains.get(name);
    if (waiting === undefined) this.#domains.set(name, new Set([domain]));
    else waiting.add(domain);
  }

  open(domain: string): void {
    const name = this.#names.get(domain);
    if (name === undefined) return;
    this.#names.delete(domain);
    const waiting = this.#domains.get(name);
    waiting?.delete(domain);
    if (waiting?.size === 0) this.#domains.delete(name);
  }

  /** Those that waited for the budget do so no more: these. */
  openAll(name: string): Iterable<string> {
    const waiting = this.#domains.get(name);
    if (waiting === undefined) return [];
    this.#domains.delete(name);
    for (const domain of waiting) this.#names.delete(domain);
    return waiting;
  }

  clear(): void {
    this.#names.clear();
    this.#domains.clear();
  }
}
