import type { Disk, DiskFile } from "../src/disk.ts";
import type { Random } from "@sluice/topology/testing";

/** What a call does before it fails. */
type Extent = "nothing" | "part" | "all";

/**
 * A disk in memory that fails at random, and whose machine dies at random. `visible` is what a process sees,
 * `safe` what a loss of power leaves.
 */
export class FailingDisk implements Disk {
  readonly #random: Random;
  readonly #files = new Map<string, { visible: Buffer; safe: Buffer }>();
  /** Chance that a call fails once, and that the process dies in it. */
  failing = 0;
  dying = 0;
  #dead = false;

  constructor(random: Random) {
    this.#random = random;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** The process is started again; with a loss of power, what was not synced may be gone or half there. */
  revive(powerLost: boolean): void {
    this.#dead = false;
    if (!powerLost) return;
    for (const file of this.#files.values()) {
      const kept = this.#random.below(3);
      if (kept === 0) file.visible = file.safe;
      else if (
        kept === 1 &&
        file.visible.length > file.safe.length &&
        file.visible.subarray(0, file.safe.length).equals(file.safe)
      ) {
        file.visible = file.visible.subarray(
          0,
          file.safe.length + this.#random.below(file.visible.length - file.safe.length),
        );
      }
      file.safe = file.visible;
    }
  }

  text(path: string): string {
    return this.#files.get(path)?.visible.toString("utf8") ?? "";
  }

  async open(path: string): Promise<DiskFile> {
    this.#check();
    const file = this.#files.get(path) ?? { visible: Buffer.alloc(0), safe: Buffer.alloc(0) };
    this.#files.set(path, file);
    return {
      size: async () => {
        this.#check();
        return file.visible.length;
      },
      truncate: async (bytes) =>
        this.#act((extent) => {
          if (extent !== "nothing") file.visible = file.visible.subarray(0, bytes);
        }),
      read: async (from, bytes) => {
        this.#check();
        return file.visible.subarray(from, from + bytes);
      },
      append: async (bytes) =>
        this.#act((extent) => {
          const length =
            extent === "nothing" ? 0 : extent === "all" ? bytes.length : this.#random.below(bytes.length);
          file.visible = Buffer.concat([file.visible, bytes.subarray(0, length)]);
        }),
      sync: async () =>
        this.#act((extent) => {
          if (extent === "all") file.safe = file.visible;
        }),
      close: async () => undefined,
    };
  }

  async readText(path: string): Promise<string | null> {
    this.#check();
    const file = this.#files.get(path);
    return file === undefined ? null : file.visible.toString("utf8");
  }

  async replace(path: string, text: string): Promise<void> {
    this.#act((extent) => {
      if (extent === "nothing") return;
      const file = this.#files.get(path) ?? {
        visible: Buffer.alloc(0),
        safe: Buffer.from('{"version":1,"bytes":0,"next":{}}'),
      };
      this.#files.set(path, file);
      file.visible = Buffer.from(text);
      // In part: the new name is there, and its folder was not synced.
      if (extent === "all") file.safe = file.visible;
    });
  }

  #check(): void {
    if (this.#dead) throw new Error("the process is dead");
  }

  #act(change: (extent: Extent) => void): void {
    this.#check();
    const dies = this.#random.chance(this.dying);
    if (!dies && !this.#random.chance(this.failing)) return change("all");
    this.#dead = dies;
    change(this.#random.pick(["nothing", "part", "all"] as const));
    throw new Error("input/output error");
  }
}
