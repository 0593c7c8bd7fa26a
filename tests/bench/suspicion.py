#!/usr/bin/env python3
"""suspicion.py [--nodes N] [--seconds S] [--burners B] - How often a busy
machine makes live nodes suspect each other.

Starts N nodes (default 8, which makes 560 heartbeats a second), one busy loop
per core or B of them, and a checking client with 16 connections, so that every
core is busy all the time. Counts the heartbeats that nodes received and the
suspicions that they raised meanwhile. All nodes live, so each suspicion is a
false one. Prints both, how busy the machine was, the longest time a client
waited, and how often the view changed; exits 1 when there was more than one
false suspicion in a million heartbeats, or when any answer was wrong.
"""

import argparse
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

# pylint: disable=wrong-import-position
from cluster import Cluster
from load import Load

COUNTERS = ("heartbeats", "suspicions", "views_entered", "slow_reported")


def count(cluster):
    """The sum over all nodes of each of COUNTERS."""
    sums = dict.fromkeys(COUNTERS, 0)
    for node in cluster.nodes:
        for line in node.call("INFO", "holdfast").decode().splitlines():
            name, _, value = line.partition(":")
            if name in sums:
                sums[name] += int(value)
    return sums


def processor_times():
    """Seconds busy and in all, of all cores, since the machine started."""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, sum(ticks)


def measure(cluster, options):
    """What happened meanwhile, how busy it was, and what the load saw."""
    burn = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(burn) for _ in range(options.burners)]
    try:
        load = Load([node.port for node in cluster.nodes], seed=1)
        load.start().wait_writes(1000, 120)
        cluster.wait_settled(timeout=120)
        load.reset_gap()
        before, busy, began = count(cluster), processor_times(), time.time()
        while time.time() - began < options.seconds:
            time.sleep(1)
        after, busy_after = count(cluster), processor_times()
        report = load.stop()
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    share = (busy_after[0] - busy[0]) / max(busy_after[1] - busy[1], 1)
    change = {name: after[name] - before[name] for name in COUNTERS}
    return change, share, report


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--burners", type=int, default=os.cpu_count())
    options = parser.parse_args()

    cluster = Cluster(options.nodes, start=False)
    failed = True
    try:
        cluster.start()
        change, share, report = measure(cluster, options)
        failed = False
    finally:
        cluster.close(failed)
    problems = report.problems(refusals=1 << 30)
    print(
        "%d nodes, %d cores %.2f %% busy, %.0f s: %d heartbeats, %d false "
        "suspicions, %d found slow, %d views entered; %d writes checked, "
        "%d refused, longest wait %.0f ms%s"
        % (
            options.nodes,
            os.cpu_count(),
            share * 100,
            options.seconds,
            change["heartbeats"],
            change["suspicions"],
            change["slow_reported"],
            change["views_entered"],
            report.writes,
            report.refused,
            report.gap_ms,
            ": %s" % problems if problems else "",
        )
    )
    too_many = change["suspicions"] * 1000000 > max(
        change["heartbeats"], 1000000
    )
    return 1 if problems or too_many else 0


if __name__ == "__main__":
    sys.exit(main())
