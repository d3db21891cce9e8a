/** Seeded dice for simulation: the same seed rolls the same numbers for ever. Not for secrets. */

export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number;
  /** True with the given probability; 0 and 1 roll nothing. */
  chance(rate: number): boolean;
  /** Dice of their own for a part of the simulation; they depend on the seed and the label alone. */
  fork(label: string): Random;
}

export function seededRandom(seed: number): Random {
  return new WeylRandom(seed | 0);
}

/** A Weyl sequence through a 32-bit finalizer: short, fast, even enough for schedules and faults. */
class WeylRandom implements Random {
  readonly #seed: number;
  #state: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#state = scramble(seed);
  }

  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return (scramble(this.#state) >>> 0) / 2 ** 32;
  }

  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(rate: number): boolean {
    if (rate <= 0) return false;
    return rate >= 1 || this.next() < rate;
  }

  fork(label: string): Random {
    let seed = this.#seed;
    for (let i = 0; i < label.length; i++) seed = scramble(seed ^ label.charCodeAt(i));
    return new WeylRandom(seed);
  }
}

function scramble(value: number): number {
  let bits = value ^ (value >>> 16);
  bits = Math.imul(bits, 0x7feb352d);
  bits ^= bits >>> 15;
  bits = Math.imul(bits, 0x846ca68b);
  return (bits ^ (bits >>> 16)) | 0;
}
