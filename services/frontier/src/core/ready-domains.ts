/** Domains that may have something to release, by job, each in the order of its turns. */
export class ReadyDomains {
  readonly #jobs = new Map<string, Set<string>>();

  get size(): number {
    return this.#jobs.size;
  }

  /** Jobs with domains that may have something to release. */
  get jobs(): readonly string[] {
    return [...this.#jobs.keys()];
  }

  add(job: string, domain: string): void {
    const domains = this.#jobs.get(job);
    if (domains === undefined) this.#jobs.set(job, new Set([domain]));
    else domains.add(domain);
  }

  /** The domain whose turn it is; it has to be added again to have another. */
  take(job: string): string | null {
    const domains = this.#jobs.get(job);
    const domain = domains?.values().next().value;
    if (domains === undefined || domain === undefined) return null;
    domains.delete(domain);
    if (domains.size === 0) this.#jobs.delete(job);
    return domain;
  }

  /** The job may release nothing, wherever it has something waiting. */
  drop(job: string): void {
    this.#jobs.delete(job);
  }
}
