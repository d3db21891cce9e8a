"""Checks the committed JSON Schemas, and every record of the topics they are for, with a validator of its own.

Prints one JSON object: for each topic the number of valid records, and what is wrong with the others. Exit code 1
where a schema is none by the metaschema of its draft, where a record is invalid, or where a schema is so weak that
it also takes a record without one of its required fields.
"""

import json
import sys
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from jsonschema import Draft202012Validator

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def records(brokers: str, topic: str):
    """Every committed record of the topic that has a value, once."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "validate-records",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        partitions = consumer.list_topics(topic, 30).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
        unread = set(partitions)
        while unread:
            message = consumer.poll(30)
            if message is None:
                raise TimeoutError(f"{topic}: the end of {sorted(unread)} was not reached")
            if message.error() is None:
                if message.value() is not None:
                    yield message.value()
            elif message.error().code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition())
            else:
                raise KafkaException(message.error())
    finally:
        consumer.close()


def decoded(topic: str, value: bytes):
    """A seed may be a bare URL, which is the short form of an object with that URL."""
    try:
        return json.loads(value)
    except ValueError:
        if topic != "crawl.seeds":
            raise
        return {"url": value.decode().strip()}


def weaknesses(schema: dict, record: dict) -> list[str]:
    validator = Draft202012Validator(schema)
    parts = schema.get("oneOf") or schema.get("anyOf") or [schema]
    required = {name for part in parts for name in part.get("required", []) if name in record}
    return [name for name in required if validator.is_valid({k: v for k, v in record.items() if k != name})]


def main() -> int:
    brokers, prefix, folder = sys.argv[1:]
    report: dict[str, dict] = {}
    for path in sorted(Path(folder).glob("*.json")):
        schema = json.loads(path.read_text())
        topic = schema["title"]
        problems: list[str] = [] if schema.get("$schema") == DRAFT else ["the schema does not name its draft"]
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        valid = 0
        for value in records(brokers, prefix + topic):
            record = decoded(topic, value)
            errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(record)]
            problems += errors
            if errors:
                continue
            if valid == 0:
                problems += [f"takes a record without {name}" for name in weaknesses(schema, record)]
            valid += 1
        report[topic] = {"valid": valid, "problems": problems[:20]}
    print(json.dumps(report))
    return 1 if any(each["problems"] for each in report.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
