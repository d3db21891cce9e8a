const seconds = 60;

/** How many there were in the last minute, to the second; older ones are forgotten as time goes by. */
export class MinuteCount {
  #counts: Uint32Array | null = null;
  #lastSecond = 0;

  add(nowMs: number): void {
    this.#counts ??= new Uint32Array(seconds);
    this.#pass(nowMs);
    const at = this.#lastSecond % seconds;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  count(nowMs: number): number {
    this.#pass(nowMs);
    return this.#counts?.reduce((sum, each) => sum + each, 0) ?? 0;
  }

  #pass(nowMs: number): void {
    const second = Math.max(this.#lastSecond, Math.floor(nowMs / 1000));
    const passed = second - this.#lastSecond;
    if (passed >= seconds) this.#counts?.fill(0);
    else
      for (let each = 1; each <= passed; each += 1)
        this.#counts?.fill(0, (this.#lastSecond + each) % seconds, ((this.#lastSecond + each) % seconds) + 1);
    this.#lastSecond = second;
  }
}
