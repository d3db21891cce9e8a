"""What became of each record that can't be read, from the topics and their dead letters alone.

Usage: verify_poison.py FOLDER, where FOLDER/poisoned has of each topic a dump NAME.bin, and of its dead letters
NAME.dlq.bin, in the format of kcat_dump.py. Which records are bad, their header `poison` says.
Prints one JSON object; examples of what is wrong go to standard error.
"""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

from kcat_dump import records

EXAMPLES_MAX = 10


def fault_of(bad, letters):
    """What is wrong with the dead letters of one record; None where nothing is."""
    if not letters:
        return "no dead letter"
    groups = Counter(letter.headers.get("dlq.consumer.group") for letter in letters)
    if max(groups.values()) > 1:
        return "more than one dead letter of a group"
    for letter in letters:
        if not letter.headers.get("dlq.error.message"):
            return "no reason"
        cut = "dlq.original.value.bytes" in letter.headers
        if cut:
            told = int(letter.headers["dlq.original.value.bytes"])
            if told != len(bad.value) or not bad.value.startswith(letter.value):
                return "a cut value that is not its beginning"
        elif letter.value != bad.value:
            return "other bytes"
        if letter.key != bad.key:
            return "another key"
        if not cut and letter.headers.get("traceparent") != bad.headers.get("traceparent"):
            return "headers are gone"
    return None


def main(folder):
    kinds, late_ms, wrong, strangers = Counter(), [], [], 0
    for path in sorted((folder / "poisoned").glob("*.bin")):
        if path.name.endswith(".dlq.bin"):
            continue
        letters = defaultdict(list)
        for letter in records(path.with_name(path.name.removesuffix(".bin") + ".dlq.bin")):
            at = (letter.headers["dlq.original.partition"], letter.headers["dlq.original.offset"])
            letters[tuple(map(int, at))].append(letter)
        for record in records(path):
            if "poison" not in record.headers:
                strangers += len(letters.pop((record.partition, record.offset), []))
                continue
            kinds[record.headers["poison"]] += 1
            found = letters.pop((record.partition, record.offset), [])
            fault = fault_of(record, found)
            if fault is not None:
                wrong.append(f"{path.stem}/{record.partition}/{record.offset} {record.headers['poison']}: {fault}")
            late_ms += [letter.written_ms - record.written_ms for letter in found]
    late_ms.sort()
    for each in wrong[:EXAMPLES_MAX]:
        print(each, file=sys.stderr)
    print(
        json.dumps(
            {
                "poison": sum(kinds.values()),
                "poison_kinds": dict(sorted(kinds.items())),
                "poison_wrong": len(wrong),
                "good_in_dead_letters": strangers,
                "dead_letter_p95_ms": late_ms[int(0.95 * (len(late_ms) - 1))] if late_ms else None,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
