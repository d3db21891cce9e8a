"""Reads what kcat has written in the format `%t %p %o %T %K %S %h\\n%k%s\\n`: any bytes, null told from empty."""

from typing import NamedTuple

FORMAT = r"%t %p %o %T %K %S %h\n%k%s\n"


class Record(NamedTuple):
    topic: str
    partition: int
    offset: int
    written_ms: int
    key: bytes | None
    value: bytes | None
    headers: dict


def records(path):
    with path.open("rb") as dump:
        while line := dump.readline():
            topic, partition, offset, written_ms, key_bytes, value_bytes, headers = (
                line.decode("utf-8").rstrip("\n").split(" ", 6)
            )
            key, value = (dump.read(size) if size >= 0 else None for size in map(int, (key_bytes, value_bytes)))
            dump.read(1)
            pairs = (each.partition("=") for each in headers.split(",") if "=" in each)
            yield Record(
                topic, int(partition), int(offset), int(written_ms), key, value, {k: v for k, _, v in pairs}
            )
