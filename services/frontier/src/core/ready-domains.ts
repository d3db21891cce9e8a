interface Domains {
  /** In the order of their turns. */
  readonly all: Set<string>;
  /** Those of them where something has changed since they had a turn in vain. */
  readonly untried: Set<string>;
}

/** Domains that may have something to release, by job, each in the order of its turns. */
export class ReadyDomains {
  readonly #jobs = new Map<string, Domains>();

  get size(): number {
    return this.#jobs.size;
  }

  /** Jobs with domains that may have something to release. */
  get jobs(): readonly string[] {
    return [...this.#jobs.keys()];
  }

  /** Something has changed on the domain. */
  add(job: string, domain: string): void {
    const { all, untried } = this.#of(job);
    all.add(domain);
    untried.add(domain);
  }

  /** Its turn was in vain, for the job has no page grants: the domain keeps it until there are some. */
  keep(job: string, domain: string): void {
    this.#of(job).all.add(domain);
  }

  /** Whether a domain would have its turn now. */
  has(job: string, hasGrants: boolean): boolean {
    const domains = this.#jobs.get(job);
    return domains !== undefined && (hasGrants || domains.untried.size > 0);
  }

  /**
   * The domain whose turn it is; it has to be added again to have another. While the job has no page grants only those
   * have one where something has changed: the others keep theirs, so that grants cost no more where more domains wait for
   * them.
   */
  take(job: string, hasGrants: boolean): string | null {
    const domains = this.#jobs.get(job);
    if (domains === undefined) return null;
    const domain = (hasGrants ? domains.all : domains.untried).values().next().value;
    if (domain === undefined) return null;
    domains.all.delete(domain);
    domains.untried.delete(domain);
    if (domains.all.size === 0) this.#jobs.delete(job);
    return domain;
  }

  /** The job may release nothing, wherever it has something waiting. */
  drop(job: string): void {
    this.#jobs.delete(job);
  }

  #of(job: string): Domains {
    let domains = this.#jobs.get(job);
    if (domains === undefined) {
      domains = { all: new Set(), untried: new Set() };
      this.#jobs.set(job, domains);
    }
    return domains;
  }
}
