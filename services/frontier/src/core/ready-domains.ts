interface Domains {
  /** In the order of their turns. */
  readonly all: Set<string>;
  /** Those of them where something waits that holds its page grant. */
  readonly granted: Set<string>;
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

  /** @param isGranted something waits there that needs no page grant any more */
  add(job: string, domain: string, isGranted: boolean): void {
    let domains = this.#jobs.get(job);
    if (domains === undefined) {
      domains = { all: new Set(), granted: new Set() };
      this.#jobs.set(job, domains);
    }
    domains.all.add(domain);
    if (isGranted) domains.granted.add(domain);
  }

  /** Whether a domain would have its turn now. */
  has(job: string, hasGrants: boolean): boolean {
    const domains = this.#jobs.get(job);
    return domains !== undefined && (hasGrants || domains.granted.size > 0);
  }

  /**
   * The domain whose turn it is; it has to be added again to have another. While the job has no page grants only those
   * have one that need none: the others keep theirs, so that grants cost no more where more domains wait for them.
   */
  take(job: string, hasGrants: boolean): string | null {
    const domains = this.#jobs.get(job);
    if (domains === undefined) return null;
    const domain = (hasGrants ? domains.all : domains.granted).values().next().value;
    if (domain === undefined) return null;
    domains.all.delete(domain);
    domains.granted.delete(domain);
    if (domains.all.size === 0) this.#jobs.delete(job);
    return domain;
  }

  /** The job may release nothing, wherever it has something waiting. */
  drop(job: string): void {
    this.#jobs.delete(job);
  }
}
