"""Writes URLs into crawl.seeds: those given as arguments, or else one a line from standard input.

Exit code 1 where Kafka has not taken them all.
"""

import json
import sys

from confluent_kafka import Producer

from kafka_settings import kafka_settings, topic

failures: list[str] = []


def on_delivery(error, message) -> None:
    if error is not None:
        failures.append(f"{message.value().decode()}: {error}")


def main() -> int:
    urls = sys.argv[1:] or [line.strip() for line in sys.stdin]
    # Idempotent: a seed that is sent again after a lost answer lies in the topic once.
    producer = Producer({**kafka_settings(), "enable.idempotence": True, "message.timeout.ms": 30_000})
    sent = 0
    for url in filter(None, urls):
        # Any key and any partition will do. With "job" the seed belongs to that job, else to the job "default".
        producer.produce(topic("crawl.seeds"), json.dumps({"url": url}), on_delivery=on_delivery)
        producer.poll(0)
        sent += 1
    unsent = producer.flush(30)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{sent - len(failures) - unsent} of {sent} seeds taken by Kafka")
    return 0 if not failures and unsent == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
