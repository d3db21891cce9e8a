import { configsOf, defaultLayout, topicList, type Topic } from "@sluice/records";
import { code, duration, page, table } from "./markdown.ts";
import { schemaFileOf } from "./schema-files.ts";

export function topicsPage(): string {
  const [dead, live] = [topicList.filter(isDead), topicList.filter((each) => !isDead(each))];
  const open = live.filter((each) => each.public);
  return page(
    "Topics",
    "`libs/records/src/topics.ts`",
    `Names take the prefix \`SLUICE_PREFIX\`. Topics have \`SLUICE_PARTITIONS\` partitions (${defaultLayout.partitions} unless set), and a key goes to the partition that Java's default partitioner gives it (murmur2). \`SLUICE_RETENTION_MS\` replaces the retention of topics that are not compacted. Services refuse to start where a topic differs from this table; with \`SLUICE_CREATE_TOPICS=true\` they create what is missing.`,
    "## Public",
    "A contract with users: within a version fields are only added. A schema is of the record's value; it takes fields that it does not name, and what has a default may be absent. Read `crawl.results` and `crawl.events` with `isolation.level=read_committed`.",
    table(
      [...heading, "schema"],
      open.map((each) => [...row(each), schemaLink(each)]),
    ),
    "## Internal",
    "Between the services; they may change with any version, so their schemas are not published.",
    table(heading, live.filter((each) => !each.public).map(row)),
    "## Dead letters",
    "The original bytes and key of a record that could not be accepted: so there is no schema. Headers tell the reason (`dlq.error.message`), who refused it (`dlq.service`, `dlq.consumer.group`) and where it was (`dlq.original.topic`, `.partition`, `.offset`, `.timestamp`).",
    table(heading, dead.map(row)),
    "## Settings of each topic",
    table(
      ["topic", "settings"],
      topicList.map((each) => [
        code(each.name),
        Object.entries(configsOf(each, defaultLayout))
          .map(([name, value]) => code(`${name}=${value}`))
          .join(" "),
      ]),
    ),
  );
}

const isDead = (topic: Topic): boolean => topic.name.endsWith(".dlq");

const heading = ["topic", "key", "partitions", "retention", "writer", "reader", "what is in it"];

function row(topic: Topic): readonly string[] {
  return [
    code(topic.name),
    topic.keyedBy,
    topic.partitions === "tasks" ? String(defaultLayout.partitions) : `${topic.partitions} always`,
    topic.cleanup === "compact" ? "compacted" : duration(topic.retentionMs ?? 0),
    topic.writers.join(", "),
    topic.readers.join(", "),
    topic.about,
  ];
}

function schemaLink(topic: Topic): string {
  return topic.schema === null ? "" : `[JSON Schema](schemas/${schemaFileOf(topic.name)})`;
}
