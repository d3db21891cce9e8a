/** Writes seeds as fast as Kafka takes them, and no faster. */
import { SluiceError } from "@sluice/errors";
import { partitionOf, seedSchema, topics, type Seed, type TopicLayout } from "@sluice/records";
import type { OutRecord, Producer } from "@sluice/runtime";

export type SeedSource = Iterable<string | Seed> | AsyncIterable<string | Seed>;

/** Seeds in one request. The source is not asked for more until it has been answered. */
const batchMax = 500;

/**
 * Resolves with how many Kafka has taken.
 * @throws SluiceError SLUICE_RECORD_INVALID that names the first seed that is none and its field; those before
 *   it are in the topic
 */
export async function sendSeeds(
  source: SeedSource,
  producer: Producer,
  { prefix, partitions }: TopicLayout,
  job: string | null,
): Promise<number> {
  let sent = 0;
  let batch: OutRecord[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await producer.send(batch);
    sent += batch.length;
    batch = [];
  };
  for await (const given of source) {
    const asked: unknown = typeof given === "string" ? { url: given } : given;
    const parsed = seedSchema.safeParse(job === null ? asked : { job, ...(asked as Seed) });
    if (!parsed.success) {
      const index = sent + batch.length;
      await flush();
      const [issue] = parsed.error.issues;
      const field = ["seeds", index, ...(issue?.path ?? [])].join(".");
      throw new SluiceError("SLUICE_RECORD_INVALID", `${field}: ${issue?.message ?? "is not a seed"}`, {
        field,
      });
    }
    // Any partition will do; the same URL goes to the same one, so that it is read in the order it was sent.
    batch.push({
      topic: prefix + topics.seeds.name,
      partition: partitionOf(parsed.data.url, partitions),
      key: null,
      value: JSON.stringify(parsed.data),
    });
    if (batch.length >= batchMax) await flush();
  }
  await flush();
  return sent;
}
