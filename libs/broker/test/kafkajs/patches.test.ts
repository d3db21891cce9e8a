import { expect, test } from "vitest";
import { installedKafkajsVersion, kafkajsVersion, RequestQueueClass } from "../../src/kafkajs/internals.ts";
import { patchKafkajs } from "../../src/kafkajs/patches.ts";

test("kafkajs is installed in the one version whose internals are patched", () => {
  expect(kafkajsVersion).toBe("2.2.4");
  expect(installedKafkajsVersion()).toBe(kafkajsVersion);
});

test("an empty request queue arms no timer, one with pending requests does", () => {
  patchKafkajs();
  const Queue = RequestQueueClass as unknown as new (options: object) => {
    pending: unknown[];
    throttleCheckTimeoutId: NodeJS.Timeout | null;
    scheduleCheckPendingRequests(): void;
    destroy(): void;
  };
  const queue = new Queue({ logger: { debug: () => undefined }, requestTimeout: 1_000 });
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).toBeNull();
  queue.pending.push({});
  queue.scheduleCheckPendingRequests();
  expect(queue.throttleCheckTimeoutId).not.toBeNull();
  queue.destroy();
});

test("patching twice changes nothing more", () => {
  patchKafkajs();
  const before = RequestQueueClass.prototype.scheduleCheckPendingRequests;
  patchKafkajs();
  expect(RequestQueueClass.prototype.scheduleCheckPendingRequests).toBe(before);
});
