import { topicList } from "@sluice/records";
import { jsonSchemaOf } from "./json-schema.ts";

/** One JSON Schema for each topic that users read or write: file name and text. */
export function schemaFiles(): readonly (readonly [string, string])[] {
  return topicList.flatMap((topic) =>
    topic.public && topic.schema !== null
      ? [
          [
            schemaFileOf(topic.name),
            `${JSON.stringify({ title: topic.name, description: topic.about, ...jsonSchemaOf(topic.schema) }, null, 2)}\n`,
          ] as const,
        ]
      : [],
  );
}

export const schemaFileOf = (topic: string): string => `${topic}.json`;
