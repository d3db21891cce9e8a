/** A disk that is full, as a process meets it that may let no file grow: what SQLite can't write it undoes. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "sluice-full-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const stores = JSON.stringify(new URL("../src/disk-stores.ts", import.meta.url).href);
const beginning = (dir: string): string => `
  import { diskStores } from ${stores};
  const events = [];
  const onEvent = (event, { reason }) => event === "state_discarded" && events.push(reason);
  const stores = diskStores({ dir: ${JSON.stringify(dir)}, instance: "f-1", nowMs: () => 1000, onEvent });
  const tell = (told) => process.stdout.write(JSON.stringify(told));
  const rows = (from) => Array.from({ length: 100 }, (_, row) => ["k" + (from + row), "x".repeat(1000)]);
  const keys = (store) => [...store.keys("k")].length;`;

/** What the script tells, in a process whose files may have so many blocks of 512 bytes. */
async function run(blocks: number | "unlimited", dir: string, script: string): Promise<unknown> {
  const args = ["-c", `ulimit -f ${blocks}; exec "$0" "$@"`, process.execPath, "--input-type=module", "-e"];
  const child = spawn("sh", [...args, beginning(dir) + script], { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  child.stdout.on("data", (chunk) => (told += String(chunk)));
  await new Promise((resolve) => child.once("close", resolve));
  return JSON.parse(told) as unknown;
}

const whole = `
  const store = stores.open(1, 1000);
  store.apply(rows(0), 100);
  store.checkpoint(1000);`;
const look = `
  const held = stores.held();
  const store = stores.open(1, 1000);
  tell({ held, events, nextOffset: store.nextOffset, size: store.size, keys: keys(store) });`;

describe("a store on a disk that is full", () => {
  test("fails, and keeps what its last checkpoint wrote, with the offset that goes with it", async () => {
    const dir = join(root, "fails");
    const failing = await run(
      2000,
      dir,
      `${whole}
      const told = [];
      for (let at = 100; told.length === 0 && at < 20_000; at += 100) {
        try {
          store.apply(rows(at), at + 100);
        } catch (error) {
          told.push(error.code);
        }
      }
      // The process goes on with its end: nothing of this store is to be believed any more.
      try {
        store.get("k1");
      } catch (error) {
        told.push(error.code);
      }
      store.close(1000);
      stores.close();
      tell(told);`,
    );
    expect(failing).toEqual(["SLUICE_STATE_FAILED", "SLUICE_STATE_FAILED"]);
    expect(await run("unlimited", dir, look)).toEqual({
      held: [1],
      events: [],
      nextOffset: 100,
      size: 100,
      keys: 100,
    });
  });

  test.each([
    ["was stopped", "stores.close(); tell(0);"],
    ["was killed", "tell(0); process.stdout.write('', () => process.kill(process.pid, 'SIGKILL'));"],
  ])("is taken up again by a process after one that %s, and not thrown away", async (_, end) => {
    const dir = join(root, end.slice(0, 6));
    await run("unlimited", dir, whole + end);
    const found = { held: [1], events: [], nextOffset: 100, size: 100, keys: 100 };
    expect(await run(0, dir, look)).toEqual(found);
    expect(await run("unlimited", dir, look)).toEqual(found);
  });
});
