/** Ctrl-C and its kin: the first asks for an end in order, the second for one at once. */

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class Interruption {
  /** Resolves at the first signal. */
  readonly requested: Promise<void>;
  readonly #request = Promise.withResolvers<void>();
  readonly #onFirst: (why: string) => void;
  readonly #onSecond: () => void;
  #count = 0;

  constructor(onFirst: (why: string) => void, onSecond: () => void) {
    this.requested = this.#request.promise;
    this.#onFirst = onFirst;
    this.#onSecond = onSecond;
  }

  get isRequested(): boolean {
    return this.#count > 0;
  }

  listen(source: NodeJS.Process): void {
    for (const signal of signals) source.on(signal, this.signal);
  }

  unlisten(source: NodeJS.Process): void {
    for (const signal of signals) source.off(signal, this.signal);
  }

  readonly signal = (name: string): void => {
    this.#count += 1;
    if (this.#count > 1) {
      this.#onSecond();
      return;
    }
    this.#onFirst(name);
    this.#request.resolve();
  };

  /** As a first signal would; a later call changes nothing. */
  request(why: string): void {
    if (this.#count === 0) this.signal(why);
  }
}
