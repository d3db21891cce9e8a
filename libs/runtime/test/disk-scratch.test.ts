import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { scratchPageBytes } from "@sluice/topology";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiskScratch } from "../src/disk-scratch.ts";
import { diskStores } from "../src/disk-stores.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "sluice-scratch-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const page = (text: string): Uint8Array => Buffer.alloc(scratchPageBytes, text);
function part(scratch: DiskScratch, number: number, from: number, length: number): string {
  const bytes = Buffer.alloc(length);
  scratch.read(number, bytes, from);
  return bytes.toString("latin1");
}
/** Files that this process has open below the folder, those without a name among them. */
const openFiles = (): readonly string[] =>
  readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${descriptor}`);
      return target.startsWith(dir) ? [target] : [];
    } catch {
      return [];
    }
  });

describe("scratch on a disk", () => {
  test("has what was written to each page, whole or in part", () => {
    const scratch = new DiskScratch(join(dir, "scratch"));
    const [one, two] = [scratch.take(), scratch.take()];
    scratch.write(two, page("two-"), 0);
    scratch.write(one, page("one-"), 0);
    expect([part(scratch, one, 65_528, 8), part(scratch, two, 2, 6)]).toEqual(["one-one-", "o-two-"]);
    scratch.close();
  });

  test("takes parts of a page, which may be all that was ever written to it, and nothing beyond it", () => {
    const scratch = new DiskScratch(join(dir, "scratch"));
    const [one, two] = [scratch.take(), scratch.take()];
    scratch.write(two, Buffer.from("first"), 0);
    scratch.write(two, Buffer.from("second"), 5);
    expect(part(scratch, two, 3, 6)).toBe("stseco");
    scratch.write(one, page("one-"), 0);
    scratch.write(one, Buffer.from("end"), scratchPageBytes - 3);
    expect([part(scratch, one, 65_530, 6), part(scratch, two, 0, 5)]).toEqual(["e-oend", "first"]);
    expect(() => scratch.write(one, Buffer.from("end"), scratchPageBytes - 2)).toThrow("no room");
    scratch.close();
  });

  test("uses the room of pages that are given back, and lets go of it with the last one", () => {
    const scratch = new DiskScratch(join(dir, "scratch"));
    const pages = ["a", "b", "c"].map((text) => {
      const taken = scratch.take();
      scratch.write(taken, page(text), 0);
      return taken;
    });
    expect(scratch.bytes).toBe(3 * scratchPageBytes);
    scratch.giveBack(pages[1] ?? 0);
    expect([scratch.bytes, scratch.take()]).toEqual([2 * scratchPageBytes, pages[1]]);
    for (const each of pages) scratch.giveBack(each);
    expect(scratch.bytes).toBe(0);
    expect(() => part(scratch, scratch.take(), 0, 8)).toThrow("0 of 8 bytes of page 0");
    scratch.close();
  });

  test("has no name in its folder, and is gone when it is closed", () => {
    const scratch = new DiskScratch(join(dir, "scratch"));
    scratch.write(scratch.take(), page("a"), 0);
    expect([readdirSync(dir), openFiles()]).toEqual([[], [`${join(dir, "scratch")} (deleted)`]]);
    scratch.close();
    expect(openFiles()).toEqual([]);
  });

  test("that can't be had is a failure of the state, with its path", () => {
    const scratch = new DiskScratch(join(dir, "nowhere", "scratch"));
    expect(() => scratch.write(scratch.take(), page("a"), 0)).toThrow(
      expect.objectContaining({ code: "SLUICE_STATE_FAILED", message: expect.stringContaining("nowhere") }),
    );
  });

  test("that breaks is a failure of the state, be it read, written or closed", () => {
    const failure = expect.objectContaining({
      code: "SLUICE_STATE_FAILED",
      message: expect.stringContaining("EBADF"),
    });
    const scratch = new DiskScratch(join(dir, "scratch"));
    const taken = scratch.take();
    scratch.write(taken, page("a"), 0);
    const descriptor = readdirSync("/proc/self/fd").find((each) => {
      try {
        return readlinkSync(`/proc/self/fd/${each}`).startsWith(dir);
      } catch {
        return false;
      }
    });
    closeSync(Number(descriptor));
    expect(() => part(scratch, taken, 0, 8)).toThrow(failure);
    expect(() => scratch.write(taken, page("b"), 0)).toThrow(failure);
    expect(() => scratch.giveBack(taken)).toThrow(failure);
    expect(() => scratch.close()).toThrow(failure);
  });

  test("refuses what a state does that was thrown away", () => {
    const scratch = new DiskScratch(join(dir, "scratch"));
    const taken = scratch.take();
    scratch.write(taken, page("a"), 0);
    scratch.take();
    scratch.giveBack(taken);
    expect(() => scratch.giveBack(taken)).toThrow("page 0 is not in use");
    scratch.close();
    expect(() => scratch.write(1, page("b"), 0)).toThrow("is closed");
    expect(openFiles()).toEqual([]);
  });

  test("of a task is another one each time its state is loaded, and ends with the store", () => {
    const stores = diskStores({ dir, instance: "i", nowMs: () => 0, onEvent: () => undefined });
    const store = stores.open(3, 0);
    const former = store.scratch();
    former.write(former.take(), page("a"), 0);
    const scratch = store.scratch();
    expect(() => former.write(0, page("late"), 0)).toThrow("is closed");
    expect([scratch.bytes, openFiles().filter((file) => file.includes(".db-scratch"))]).toEqual([0, []]);
    scratch.write(scratch.take(), page("b"), 0);
    expect(openFiles().filter((file) => file.includes(".db-scratch"))).toHaveLength(1);
    store.close(0);
    expect(openFiles().filter((file) => file.includes(".db-scratch"))).toEqual([]);
    stores.close();
  });
});
