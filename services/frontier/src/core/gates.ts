/**
 * Domains of a job of which what is fresh waits for units of a budget, with those of one budget at hand, and how much it is
 * in all: none of it costs more where more domains wait.
 */
export class Gates {
  readonly #gates = new Map<string, Gate>();
  readonly #domains = new Map<string, Set<string>>();
  /** Budgets of which there were units for some of what waits, and not for all. */
  readonly #opening = new Set<string>();
  #fresh = 0;

  /** URLs that wait so. */
  get fresh(): number {
    return this.#fresh;
  }

  /** Names of budgets of which units came, as long as some may be left for what waits. */
  get opening(): ReadonlySet<string> {
    return this.#opening;
  }

  /** The name of the budget that the domain waits for; undefined: none. */
  get(domain: string): string | undefined {
    return this.#gates.get(domain)?.name;
  }

  has(domain: string): boolean {
    return this.#gates.has(domain);
  }

  /** All that wait. */
  domains(): Iterable<string> {
    return this.#gates.keys();
  }

  /** How many wait for the budget, the domain itself left out. */
  othersFor(name: string, domain: string): number {
    return this.allFor(name) - (this.#domains.get(name)?.has(domain) === true ? 1 : 0);
  }

  allFor(name: string): number {
    return this.#domains.get(name)?.size ?? 0;
  }

  /** The domain that has waited longest for the budget. */
  firstFor(name: string): string | undefined {
    return this.#domains.get(name)?.values().next().value;
  }

  /** @param fresh URLs on the domain that hold no units; told from now on of what comes and goes */
  close(domain: string, name: string, fresh: number): void {
    if (this.#gates.get(domain)?.name === name) return;
    this.open(domain);
    this.#gates.set(domain, { name, fresh });
    this.#fresh += fresh;
    const waiting = this.#domains.get(name);
    if (waiting === undefined) this.#domains.set(name, new Set([domain]));
    else waiting.add(domain);
  }

  /** URLs that hold no units have come to the domain, or have gone. */
  count(domain: string, by: 1 | -1): void {
    const gate = this.#gates.get(domain);
    if (gate === undefined) return;
    gate.fresh += by;
    this.#fresh += by;
    if (gate.fresh === 0) this.open(domain);
  }

  open(domain: string): void {
    const gate = this.#gates.get(domain);
    if (gate === undefined) return;
    this.#gates.delete(domain);
    this.#fresh -= gate.fresh;
    const waiting = this.#domains.get(gate.name);
    waiting?.delete(domain);
    if (waiting?.size === 0) this.#domains.delete(gate.name);
  }

  /**
   * At most so many of those that wait for the budget, the first ones, do so no more: these.
   * @param hasRoom there are units for some of those that are left, now or as soon as others need no more of them
   */
  openSome(name: string, limit: number, hasRoom: boolean): readonly string[] {
    const opened: string[] = [];
    for (const domain of this.#domains.get(name) ?? []) {
      if (opened.length >= limit) break;
      opened.push(domain);
    }
    for (const domain of opened) this.open(domain);
    if (hasRoom && this.#domains.has(name)) this.#opening.add(name);
    else this.#opening.delete(name);
    return opened;
  }

  /** There is no such budget any more: hosts that wait for it have their turn without. */
  stopOpening(name: string): void {
    this.#opening.delete(name);
  }

  clear(): void {
    this.#gates.clear();
    this.#domains.clear();
    this.#opening.clear();
    this.#fresh = 0;
  }
}

interface Gate {
  readonly name: string;
  fresh: number;
}
