"""What became of a chaos run, recomputed from what went in and what came out alone.

Independent of the product on purpose: another language, no counter of the product is read.
Usage: verify.py FOLDER, where the folder holds
  run.json      seeds, how many runs the job had, delay_ms, deaths and freezes with their time
  graph.jsonl   the robots.txt of all hosts, then one page of the crawled web a line
  access.jsonl  one request a line, written by the origin server by its own clock
  results.bin   crawl.results as a reader with read_committed sees it, in the format of kcat_dump.py
  results/results.jsonl  what the sink wrote
Prints one JSON object; examples of what is wrong go to standard error.
"""

import json
import sys
from collections import Counter, defaultdict, deque
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from kcat_dump import records

EXAMPLES_MAX = 10
# A log's clock and that of the origin are one, and what is written to either comes a moment later.
SLACK_MS = 250


def reachable(seeds, pages, robots):
    """Breadth first from the seeds, over redirects and links that robots.txt allows."""
    found = set(seeds)
    queue = deque(seeds)
    while queue:
        url = queue.popleft()
        page = pages.get(url)
        if page is None:
            continue
        links = [page["location"]] if page["location"] is not None else page["links"]
        for link in links:
            target = urldefrag(urljoin(url, link)).url
            if target in found or not robots.can_fetch("Sluice", target):
                continue
            found.add(target)
            queue.append(target)
    return found


def politeness(requests, delay_ms):
    """Pairs of requests to one host that start closer than its delay, or overlap."""
    wrong = []
    for host, lines in requests.items():
        lines.sort(key=lambda line: line["start"])
        for first, second in zip(lines, lines[1:]):
            gap = second["start"] - first["start"]
            if gap < delay_ms or second["start"] < first["end"]:
                wrong.append((host, first["path"], second["path"], round(gap, 1)))
    return wrong


def was_lost(request, next_start, losses):
    """Whether a process that had the request died, or lost its tasks or a commit, before the next one of that page."""
    for loss in losses:
        has_it = loss["service"] == "kafka" or f"{loss['service']}-{loss['index']}@" in request["agent"]
        if has_it and request["start"] <= loss["until_ms"] + SLACK_MS and loss["at_ms"] - SLACK_MS <= next_start:
            return True
    return False


def without_cause(asked, runs, losses):
    """Pages of which more requests were made than one a run and one for each request that was lost."""
    found = set()
    for url, requests in asked.items():
        beyond = len(requests) - runs
        if beyond <= 0:
            continue
        requests.sort(key=lambda line: line["start"])
        lost = sum(was_lost(first, second["start"], losses) for first, second in zip(requests, requests[1:]))
        if lost < beyond:
            found.add(url)
    return found


def largest_pause(starts, from_ms, to_ms):
    """The longest time without a request between two instants, in milliseconds."""
    inside = [from_ms] + [start for start in starts if from_ms <= start <= to_ms] + [to_ms]
    return max(second - first for first, second in zip(inside, inside[1:]))


def main(folder):
    run = json.loads((folder / "run.json").read_text())
    with (folder / "graph.jsonl").open() as lines:
        robots = RobotFileParser()
        robots.parse(json.loads(next(lines))["robots"].splitlines())
        pages = {page["url"]: page for page in map(json.loads, lines)}
    expected = reachable(run["seeds"], pages, robots)
    port = urlsplit(run["seeds"][0]).port

    requests = defaultdict(list)
    asked, first_start, starts, forbidden, agent_of = defaultdict(list), {}, [], 0, {}
    for line in map(json.loads, (folder / "access.jsonl").open()):
        requests[line["host"]].append(line)
        if line["path"] == "/robots.txt":
            continue
        url = f"http://{line['host']}:{port}{line['path']}"
        forbidden += not robots.can_fetch("Sluice", url)
        asked[url].append(line)
        starts.append(line["start"])
        if line["start"] < first_start.get(url, float("inf")):
            first_start[url] = line["start"]
            agent_of[url] = line["agent"]
    starts.sort()

    seen, fetched, results, unreadable, unlike = Counter(), Counter(), {}, 0, set()
    for record in records(folder / "results.bin"):
        if "poison" in record.headers:
            continue
        try:
            result = json.loads(record.value)
        except ValueError:
            unreadable += 1
            continue
        seen[result["result_id"]] += 1
        fetched[result["job"], result["run"], result["url"]] += 1
        page = pages.get(result["url"])
        if page is not None and result["status"] != page["status"]:
            unlike.add((result["url"], result["status"], result["outcome"]))
        results[result["url"]] = max(record.written_ms, results.get(result["url"], 0))
    sunk, sunk_pages = Counter(), Counter()
    for path in sorted((folder / "results").rglob("*.jsonl")):
        for row in map(json.loads, path.open(encoding="utf-8")):
            sunk[row["result_id"]] += 1
            sunk_pages[row["job"], row["run"], row["url"]] += 1
    found = fetched.keys()
    wanted = {("chaos", number + 1, url) for number in range(run["runs"]) for url in expected}
    wanted |= {(job, 1, url) for job, urls in run["other_jobs"].items() for url in urls}
    missing, extra = wanted - found, found - wanted
    impolite = politeness(requests, run["delay_ms"])

    # What had been started and had no result yet when a process that may hold it died: what that death may cost.
    refetched = {url for url, requests in asked.items() if len(requests) > run["runs"]}
    losses = [death for death in run["deaths"] if death["service"] in ("fetcher", "kafka")]
    in_flight = 0
    for death in losses:
        at = death["at_ms"]
        mark = f"{death['service']}-{death['index']}@"
        in_flight += sum(
            start <= death["until_ms"] and at < results.get(url, float("inf"))
            and (death["service"] == "kafka" or mark in agent_of[url])
            for url, start in first_start.items()
        )
    unexplained = without_cause(asked, run["runs"], losses)
    killed = [death for death in run["deaths"] if death["killed"]]

    pauses = []
    away = [(each["at_ms"], each["until_ms"]) for each in run["deaths"] if each["service"] == "kafka"]
    for event in run["events"]:
        # Only where there was work to do for the whole of it, and a broker.
        end = event["at_ms"] + run["pause_window_ms"]
        if any(from_ms <= end and event["at_ms"] <= to_ms for from_ms, to_ms in away):
            continue
        if starts and end < starts[-1]:
            pauses.append({"what": event["what"], "ms": round(largest_pause(starts, event["at_ms"], end))})
    answer = {
        "urls": len(expected),
        "runs": run["runs"],
        "kills": len(killed),
        "killed": dict(sorted(Counter(death["service"] for death in killed).items())),
        "failpoints": dict(sorted(Counter(d["how"].split(":")[0] for d in killed if ":" in d["how"]).items())),
        "missing": len(missing),
        "extra": len(extra),
        "unlike": len(unlike),
        "duplicates": sum(times - 1 for times in fetched.values()),
        "politeness_violations": len(impolite),
        "refetched": sum(len(asked[url]) - run["runs"] for url in refetched),
        "in_flight_at_kills": in_flight,
        "refetched_without_cause": len(unexplained),
        "failed_commits": sum(1 for death in run["deaths"] if death["how"] == "a commit failed"),
        "losses_of_tasks": sum(1 for death in run["deaths"] if death["how"] == "tasks went to others"),
        "forbidden": forbidden,
        "unreadable": unreadable,
        "sink_missing": len(seen.keys() - sunk.keys()),
        "sink_extra": len(sunk.keys() - seen.keys()),
        "sink_duplicates": sum(times - 1 for times in sunk_pages.values()),
        "requests": len(starts),
        "pauses_ms": pauses,
    }
    for name, wrong in (
        ("missing", missing),
        ("extra", extra),
        ("impolite", impolite),
        ("refetched without cause", unexplained),
        ("unlike the page", unlike),
        ("duplicate", [key for key, times in fetched.items() if times > 1]),
    ):
        for each in list(wrong)[:EXAMPLES_MAX]:
            print(f"{name}: {each}", file=sys.stderr)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
