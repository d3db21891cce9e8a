/** The sink's simulated disk: it takes time, fails, fills up, and outlives processes. */
import type { Random, SimClock } from "@sluice/broker/memory";
import type { Disk, DiskFile } from "../../services/result-sink/src/disk.ts";

interface StoredFile {
  bytes: Buffer;
}

export type DiskTrouble = "none" | "full" | "slow" | "failing";

/** How far an operation that fails has come. */
type Extent = "nothing" | "part" | "all";
type Act = <T>(change: (extent: Extent) => T) => Promise<T>;

/** A process that uses the disk. */
export interface DiskUser {
  readonly clock: SimClock;
  readonly isAlive: () => boolean;
  /** Something is about to be done; the process may die of it. */
  readonly onOperation: () => void;
}

export class SimulatedDisk {
  readonly #files = new Map<string, StoredFile>();
  readonly #random: Random;
  trouble: DiskTrouble = "none";
  /** Operations that failed. */
  failures = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  restore(path: string, text: string): void {
    this.#files.set(path, { bytes: Buffer.from(text) });
  }

  text(path: string): string {
    return this.#files.get(path)?.bytes.toString("utf8") ?? "";
  }

  /** The disk as one process sees it. */
  for(user: DiskUser): Disk {
    const read: Act = (look) => this.#act(user, "read", look);
    const write: Act = (change) => this.#act(user, "write", change);
    return {
      open: (path) => read(() => this.#file(path, read, write)),
      readText: (path) => read(() => this.#files.get(path)?.bytes.toString("utf8") ?? null),
      replace: (path, text) =>
        write((extent) => {
          // Renamed into place: never half.
          if (extent !== "nothing") this.#files.set(path, { bytes: Buffer.from(text) });
        }),
    };
  }

  #file(path: string, read: Act, write: Act): DiskFile {
    const file = this.#files.get(path) ?? { bytes: Buffer.alloc(0) };
    this.#files.set(path, file);
    return {
      size: () => read(() => file.bytes.length),
      truncate: (bytes) =>
        write((extent) => {
          if (extent !== "nothing") file.bytes = file.bytes.subarray(0, bytes);
        }),
      append: (bytes) =>
        write((extent) => {
          const kept =
            extent === "all"
              ? bytes.length
              : extent === "nothing"
                ? 0
                : this.#random.between(0, bytes.length);
          file.bytes = Buffer.concat([file.bytes, bytes.subarray(0, kept)]);
        }),
      read: (from, bytes) => read(() => file.bytes.subarray(from, from + bytes)),
      sync: () => write(() => undefined),
      close: () => Promise.resolve(),
    };
  }

  /** One operation, some time later. A process that dies meanwhile leaves it half done, and hears nothing. */
  #act<T>(user: DiskUser, kind: "read" | "write", change: (extent: Extent) => T): Promise<T> {
    if (!user.isAlive()) return new Promise(() => undefined);
    user.onOperation();
    const isSlow = this.trouble === "slow";
    const fails =
      (this.trouble === "full" && kind === "write") ||
      (this.trouble === "failing" && this.#random.chance(0.5));
    if (fails) this.failures += 1;
    const extent = fails
      ? ((["nothing", "part", "all"] as const)[this.#random.between(0, 2)] ?? "nothing")
      : "all";
    if (!user.isAlive()) {
      change(this.#random.chance(0.5) ? "part" : "nothing");
      return new Promise(() => undefined);
    }
    const done = change(extent);
    const delayMs = isSlow ? this.#random.between(100, 800) : this.#random.between(0, 3);
    return new Promise((resolve, reject) => {
      user.clock.setTimer(user.clock.nowMs() + delayMs, () => {
        if (fails) reject(new Error("no space left on device"));
        else resolve(done);
      });
    });
  }
}
