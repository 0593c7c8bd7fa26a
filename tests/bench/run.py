#!/usr/bin/env python3
"""run.py [--quick] [--only ROW...] [--rounds N] [--seconds S] [--runs N] -
Holdfast beside redis-server, on this machine, in this run.

Every round measures every server with every load once, so that what the
machine does meanwhile hits all alike. A ratio is that of two measurements of
the same round; what counts is the median of the rounds, in brackets are the
least and the greatest. Processor seconds are those of all processes of a
server together. Clients and servers share the processors.

Rows: {rows}.

Exits 1 when an answer was wrong, not when a target is missed. Started by
run.sh, which builds what this needs.
"""

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

# pylint: disable=wrong-import-position
import gap
import sizes
from servers import Holdfast, RedisServer

SESSIONS = 100000
KEY_BYTES = 13  # sess:00000000
VALUE_BYTES = 1024
OVERHEAD_MAX = 64
SIZES = (10000, 100000, 1000000, 10000000)

SERVERS = {
    "holdfast-1": lambda: Holdfast(1),
    "holdfast-2": lambda: Holdfast(2),
    "holdfast-3": lambda: Holdfast(3),
    "redis": RedisServer,
    "redis-wait": lambda: RedisServer(replica=True),
}

MIX = {"connections": 50}
MIX_16 = {"connections": 50, "pipeline": 16}
SETS = {"connections": 50, "get": 0, "set": 100}
ONE_SET = {"connections": 1, "get": 0, "set": 100}
ONE_GET = {"connections": 1, "get": 100, "set": 0}
RATED = {"connections": 50, "rate": 5000}
LOADS = {
    "80/20": MIX,
    "80/20, pipeline 16": MIX_16,
    "SET": SETS,
    "one client, SET": ONE_SET,
    "one client, GET": ONE_GET,
    "80/20 at 5,000/s": RATED,
}


def rate(result):
    return result["throughput"]


def cost(result):
    return result["cpu"] / result["ops"] * 1e6


def time_of(kind, which):
    return lambda result: result[kind][which]


class Target:
    """A ratio of one measurement to another that is to be reached."""

    def __init__(self, what, metric, theirs, least=None, most=None):
        self.what = what
        self.metric = metric
        self.theirs = theirs
        self.least = least
        self.most = most

    def text(self):
        if self.least is not None:
            return "≥ %.2f" % self.least
        return "≤ %.2f" % self.most

    def reached(self, ratio):
        if self.least is not None:
            return ratio >= self.least
        return ratio <= self.most


class Row:
    def __init__(self, title, ours, load, targets):
        self.title = title
        self.ours = ours
        self.load = load
        self.targets = targets

    def cells(self):
        """What must be measured for it."""
        names = [self.ours] + [target.theirs for target in self.targets]
        return [(name, self.load) for name in names]


def faster(theirs, throughput, cpu):
    return [
        Target("ops/s", rate, theirs, least=throughput),
        Target("CPU s/Mop", cost, theirs, most=cpu),
    ]


ROWS = {
    "one": Row("one node", "holdfast-1", "80/20", faster("redis", 1.2, 0.8)),
    "one-16": Row(
        "one node, pipeline 16",
        "holdfast-1",
        "80/20, pipeline 16",
        faster("redis", 2.2, 0.42),
    ),
    "copy": Row(
        "with a copy",
        "holdfast-2",
        "80/20",
        faster("redis-wait", 1.3, 0.75)
        + [Target("ops/s", rate, "redis", least=1.05)],
    ),
    "copy-16": Row(
        "with a copy, pipeline 16",
        "holdfast-2",
        "80/20, pipeline 16",
        faster("redis-wait", 5, 0.2),
    ),
    "set": Row(
        "SET only, with a copy",
        "holdfast-2",
        "SET",
        faster("redis-wait", 1.4, 0.65),
    ),
    "three": Row(
        "three nodes, all clients on one",
        "holdfast-3",
        "80/20",
        faster("holdfast-2", 0.7, 1.8),
    ),
    "set-p50": Row(
        "one client, SET with a copy",
        "holdfast-2",
        "one client, SET",
        [Target("p50 µs", time_of("set", "p50"), "redis-wait", most=1.7)],
    ),
    "get-p50": Row(
        "one client, GET, one node",
        "holdfast-1",
        "one client, GET",
        [Target("p50 µs", time_of("get", "p50"), "redis", most=1.1)],
    ),
    "get-copy-p50": Row(
        "one client, GET, two nodes",
        "holdfast-2",
        "one client, GET",
        [Target("p50 µs", time_of("get", "p50"), "redis", most=1.1)],
    ),
    "p99": Row(
        "5,000/s, with a copy",
        "holdfast-2",
        "80/20 at 5,000/s",
        [
            Target("GET p99 µs", time_of("get", "p99"), "redis-wait", most=1.5),
            Target("SET p99 µs", time_of("set", "p99"), "redis-wait", most=1.5),
        ],
    ),
}
OTHER_ROWS = ("memory", "kill", "freeze", "growth")
ALL_ROWS = list(ROWS) + list(OTHER_ROWS)


def say(text):
    print(text, file=sys.stderr, flush=True)


def number(value):
    if value >= 1000:
        return "{:,.0f}".format(value)
    return "%.2f" % value if value < 10 else "%.1f" % value


def yes_no(reached):
    return "yes" if reached else "**no**"


class Wrong:
    """Counts the answers that no server should have given."""

    count = 0

    def check(self, result, where):
        bad = result["missing"] + result["errors"] + result["wrong"]
        if bad:
            say("%s: %d answers were wrong" % (where, bad))
        self.count += bad


def measure(names, options, wrong):
    """{(server, load): [result of each round]} for the rows in @names."""
    cells = []
    for name in names:
        for cell in ROWS[name].cells():
            if cell not in cells:
                cells.append(cell)
    found = {cell: [] for cell in cells}
    with contextlib.ExitStack() as stack:
        servers = {}
        for name in dict.fromkeys(server for server, _ in cells):
            servers[name] = SERVERS[name]()
            stack.callback(servers[name].close)
            servers[name].start()
            servers[name].load(fill=True, requests=0, sessions=SESSIONS)
        for turn in range(options.rounds):
            say("round %d of %d" % (turn + 1, options.rounds))
            for server, load in cells:
                result = servers[server].load(
                    seconds=options.seconds,
                    sessions=SESSIONS,
                    seed=turn + 1,
                    **LOADS[load]
                )
                wrong.check(result, "%s, %s" % (server, load))
                found[server, load].append(result)
    return found


def print_rows(names, found):
    print("| work | | Holdfast | beside | | ratio | target | reached |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        row = ROWS[name]
        for target in row.targets:
            ours = [target.metric(r) for r in found[row.ours, row.load]]
            theirs = [target.metric(r) for r in found[target.theirs, row.load]]
            ratios = [a / b for a, b in zip(ours, theirs)]
            ratio = statistics.median(ratios)
            print("| %s | %s | %s | %s | %s | %.2f (%.2f–%.2f) | %s | %s |" % (
                row.title, target.what, number(statistics.median(ours)),
                target.theirs, number(statistics.median(theirs)), ratio,
                min(ratios), max(ratios), target.text(),
                yes_no(target.reached(ratio))))


def print_cells(found):
    print("\n| server | load | ops/s | CPU s/Mop | client's "
          "| GET p50 | p99 | p99.9 | SET p50 | p99 | p99.9 µs |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for (server, load), results in found.items():
        def middle(metric, results=results):
            return number(statistics.median(metric(r) for r in results))

        rates = [rate(r) for r in results]
        words = [server, load, "%s (%s–%s)" % (
            middle(rate), number(min(rates)), number(max(rates)))]
        words.append(middle(cost))
        words.append(middle(lambda r: r["client_cpu"] / r["ops"] * 1e6))
        for kind in ("get", "set"):
            for which in ("p50", "p99", "p99.9"):
                used = results[0][kind]["count"] > 0
                words.append(middle(time_of(kind, which)) if used else "")
        print("| %s |" % " | ".join(words))


def measure_memory(server, sessions):
    """Bytes per session over key and value: of the process, and as the
    server itself counts."""
    try:
        server.start()
        server.load(fill=True, requests=0, sessions=1000)  # Buffers are there.
        resident = server.resident_bytes()
        accounted = server.accounted_bytes()
        server.load(fill=True, requests=0, sessions=sessions, ttl=86400)
        resident = server.resident_bytes() - resident
        accounted = server.accounted_bytes() - accounted
        if server.nodes[0].call("DBSIZE") != sessions:
            raise AssertionError("%s lost sessions" % server.name)
    finally:
        server.close()
    data = KEY_BYTES + VALUE_BYTES
    new = sessions - 1000
    return resident / new - data, accounted / new - data


def print_memory(sessions):
    print("\n%s sessions of 1 KiB with a time to live, bytes of each over "
          "key and value:\n" % "{:,}".format(sessions))
    print("| server | resident | its own count | target | reached |")
    print("|---|---|---|---|---|")
    servers = [Holdfast(1), RedisServer()]
    if shutil.which("valkey-server"):
        servers.append(RedisServer("valkey-server"))
    for server in servers:
        resident, accounted = measure_memory(server, sessions)
        judged = ("", "")
        if isinstance(server, Holdfast):
            judged = ("≤ %d" % OVERHEAD_MAX, yes_no(resident <= OVERHEAD_MAX))
        print("| %s | %.0f | %.0f | %s | %s |" % (
            (server.name, resident, accounted) + judged), flush=True)


def measure_gaps(how, runs, wrong):
    """Milliseconds until no client waited or was refused any more."""
    gaps = []
    for turn in range(runs):
        longest, recovered, report = gap.run(turn, how)
        gaps.append(max(longest, recovered) * 1000)
        say("%s %d of %d: served again after %.0f ms, longest wait %.0f ms "
            "(%s), %d refused, %d writes checked, %d lost" % (
                how, turn + 1, runs, gaps[-1], longest * 1000,
                report.gap_what, report.refused, report.writes,
                len(report.lost)))
        problems = report.problems(0 if how == "kill" else 1 << 30)
        if problems:
            say("%s: %s" % (how, problems))
        wrong.count += len(problems)
    return gaps


def print_gaps(names, runs, wrong):
    print("\nThree nodes, one taken away, %d times: milliseconds until every "
          "client is served again\n" % runs)
    print("| | median | target | reached | worst | target | reached |")
    print("|---|---|---|---|---|---|---|")
    rows = (("kill", "kill -9", 100, 300), ("freeze", "SIGSTOP", 1500, 1500))
    for how, title, median_max, worst_max in rows:
        if how not in names:
            continue
        gaps = measure_gaps(how, runs, wrong)
        median = statistics.median(gaps)
        print("| %s | %.0f | ≤ %d | %s | %.0f | ≤ %d | %s |" % (
            title, median, median_max, yes_no(median <= median_max),
            max(gaps), worst_max, yes_no(max(gaps) <= worst_max)), flush=True)


def read_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.format(rows=", ".join(ALL_ROWS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true",
                        help="a minute: one short round of each")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int, help="of one measurement")
    parser.add_argument("--runs", type=int, help="of kill and freeze")
    parser.add_argument("--only", nargs="+", choices=ALL_ROWS,
                        default=ALL_ROWS, metavar="ROW")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 5)
    options.memory_sessions = 100000 if options.quick else 1000000
    options.sizes = SIZES[:-1] if options.quick else SIZES
    options.sessions_moved = 200000 if options.quick else 2000000
    options.runs = options.runs or (1 if options.quick else 20)
    return options


def stop(number, _):
    """Ends what was started, and is not disturbed at that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    options = read_arguments()
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    wrong = Wrong()
    names = [name for name in ROWS if name in options.only]
    if names:
        found = measure(names, options, wrong)
        print_rows(names, found)
        print_cells(found)
    if "memory" in options.only:
        print_memory(options.memory_sessions)
    if "kill" in options.only or "freeze" in options.only:
        print_gaps(options.only, options.runs, wrong)
    if "growth" in options.only:
        sizes.measure_sizes(options.sizes, min(options.seconds, 3), wrong)
        sizes.measure_changes(options.sessions_moved, wrong)
        sizes.measure_machine(10 if options.quick else 60)
    if wrong.count:
        say("%d answers were wrong" % wrong.count)
    return 1 if wrong.count else 0


if __name__ == "__main__":
    sys.exit(main())
