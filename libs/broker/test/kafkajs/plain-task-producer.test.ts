import type { OutRecord, Written } from "@sluice/runtime";
import { expect, test } from "vitest";
import { PlainTaskProducer } from "../../src/kafkajs/plain-task-producer.ts";

const transaction = {
  group: "frontier",
  records: [{ topic: "state", partition: 0, key: "j", value: "1" }],
  offsets: [{ topic: "links", partition: 0, offset: 1, metadata: "" }],
};

async function world() {
  const sent: (readonly OutRecord[])[] = [];
  const committed: string[] = [];
  const task = { tenure: 7 as number | null, whileSending: (): void => undefined };
  const send = async (records: readonly OutRecord[]): Promise<readonly Written[]> => {
    sent.push(records);
    task.whileSending();
    return Promise.resolve([]);
  };
  const producer = new PlainTaskProducer({
    producer: { connect: async () => undefined, send, close: async () => undefined },
    tenure: () => task.tenure,
    commitOffsets: async (group) => {
      committed.push(group);
    },
    onFailpoint: null,
  });
  await producer.fence();
  return { producer, sent, committed, task };
}

test("a task that is its member's writes its records, then its offsets", async () => {
  const { producer, sent, committed } = await world();
  await producer.commit(transaction);
  expect([sent, committed]).toEqual([[transaction.records], ["frontier"]]);
});

test.each([
  ["may be another's", null],
  ["was another's meanwhile", 8],
])("a task that %s writes nothing, and is told that it was fenced", async (_, tenure) => {
  const { producer, sent, committed, task } = await world();
  task.tenure = tenure;
  await expect(producer.commit(transaction)).rejects.toMatchObject({ name: "CommitFailed", fenced: true });
  await expect(producer.commit(transaction)).rejects.toThrow("spent");
  expect([sent, committed]).toEqual([[], []]);
});

test("a task that is lost while its records are written commits no offsets", async () => {
  const { producer, sent, committed, task } = await world();
  task.whileSending = () => {
    task.tenure = null;
  };
  await expect(producer.commit(transaction)).rejects.toMatchObject({ fenced: true });
  expect([sent.length, committed]).toEqual([1, []]);
});
