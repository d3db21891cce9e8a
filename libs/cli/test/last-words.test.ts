import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { handedOn } from "../src/last-words.ts";

/** Takes one chunk at a time, each when it is told to. */
function slowReader(): { stream: Writable; taken: string[]; take: () => void } {
  const taken: string[] = [];
  let next: (() => void) | null = null;
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      next = () => {
        taken.push(chunk.toString());
        done();
      };
    },
  });
  return {
    stream,
    taken,
    take: () => {
      const act = next;
      next = null;
      act?.();
    },
  };
}

/** Lets everything happen that can happen without the outside. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

test("waits until a slow reader has taken the last line", async () => {
  const { stream, taken, take } = slowReader();
  stream.write("first\n");
  stream.write("last\n");
  let isOver = false;
  const over = handedOn([stream]).then(() => {
    isOver = true;
  });
  for (const heard of [["first\n"], ["first\n", "last\n"]]) {
    await settled();
    expect(isOver).toBe(false);
    take();
    expect(taken).toEqual(heard);
  }
  // The empty word behind them.
  await settled();
  take();
  await over;
});

test("does not wait for a reader that has gone", async () => {
  const gone = new Writable({ write: (_, __, done) => done(new Error("EPIPE")) });
  await handedOn([gone]);
  await handedOn([gone]);
  expect(gone.destroyed).toBe(true);
});
