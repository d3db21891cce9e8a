import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import type { Fleet } from "../fleet/fleet.ts";

/**
 * The disk of the sink, which can be full. With the right to mount it is a file system of its own whose size
 * falls to what is used (ENOSPC); without, the sink's process may let no file grow (EFBIG, RLIMIT_FSIZE).
 */
export class SmallDisk {
  readonly kind: "mounted" | "limited";
  readonly #folder: string;

  private constructor(folder: string, kind: SmallDisk["kind"]) {
    this.#folder = folder;
    this.kind = kind;
  }

  static open(folder: string): SmallDisk {
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${roomBytes}`, "tmpfs", folder], { stdio: "ignore" });
      return new SmallDisk(folder, "mounted");
    } catch {
      // Not allowed to mount, or no such command.
      return new SmallDisk(folder, "limited");
    }
  }

  /** From now on nothing more fits. */
  fill(fleet: Fleet): void {
    if (this.kind === "limited") return this.#limit(fleet, "1");
    // It may have grown between the look and the change.
    for (let tries = 0; tries < 20; tries += 1) {
      const used = execFileSync("df", ["--block-size=1", "--output=used", this.#folder], {
        encoding: "utf8",
      });
      if (this.#resize(Number(used.trim().split("\n").at(-1)))) return;
    }
    throw new Error(`the disk at ${this.#folder} could not be made full`);
  }

  free(fleet: Fleet): void {
    if (this.kind === "limited") this.#limit(fleet, "unlimited");
    else if (!this.#resize(roomBytes)) throw new Error(`the disk at ${this.#folder} could not be freed`);
  }

  close(): void {
    if (this.kind === "mounted") execFileSync("umount", [this.#folder]);
  }

  /** False where it holds more already. */
  #resize(bytes: number): boolean {
    // A size of 0 would be none.
    const size = Math.max(4096, bytes);
    return spawnSync("mount", ["-o", `remount,size=${size}`, this.#folder], { stdio: "ignore" }).status === 0;
  }

  #limit(fleet: Fleet, bytes: string): void {
    execFileSync("prlimit", ["--pid", String(fleet.pid("result-sink", 0)), `--fsize=${bytes}:`]);
  }
}

/** Pages of it that are not written to take no memory. */
const roomBytes = 1_073_741_824;
