"""Copies crawl.results into a SQLite file, each result once, however often this program is killed.

Kafka gives every record at least once: what was read and not yet committed comes again. So the offsets are
committed only after the rows, and a row that is there already is left alone: result_id is the same in every copy.
"""

import argparse
import json
import sqlite3
import sys
import time

from confluent_kafka import Consumer, KafkaException

from kafka_settings import kafka_settings, topic

COLUMNS = ("result_id", "job", "run", "url", "status", "outcome", "title", "fetched_at")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--db", default="results.sqlite", help="the SQLite file (default: %(default)s)")
    parser.add_argument("--group", default="python-example", help="consumer group (default: %(default)s)")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="end when nothing came for so long")
    return parser.parse_args()


def store(db: sqlite3.Connection, records: list[dict]) -> int:
    """The number of rows that were not there before."""
    rows = [tuple(record[column] for column in COLUMNS) for record in records]
    with db:
        before = db.total_changes
        db.executemany(f"INSERT OR IGNORE INTO results VALUES ({', '.join('?' * len(COLUMNS))})", rows)
        return db.total_changes - before


def main() -> int:
    options = arguments()
    db = sqlite3.connect(options.db)
    db.execute(f"CREATE TABLE IF NOT EXISTS results (result_id PRIMARY KEY, {', '.join(COLUMNS[1:])})")
    consumer = Consumer(
        {
            **kafka_settings(),
            "group.id": options.group,
            # What a transaction wrote that was aborted is no result.
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic("crawl.results")])
    new = again = 0
    last = time.monotonic()
    try:
        while options.idle is None or time.monotonic() - last < options.idle:
            messages = consumer.consume(num_messages=500, timeout=0.5)
            for message in messages:
                if message.error():
                    raise KafkaException(message.error())
            if not messages:
                continue
            last = time.monotonic()
            stored = store(db, [json.loads(message.value()) for message in messages])
            consumer.commit(asynchronous=False)
            new += stored
            again += len(messages) - stored
    except KeyboardInterrupt:
        pass
    finally:
        consumer.close()
        db.close()
    print(f"{new} new results, {again} already there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
