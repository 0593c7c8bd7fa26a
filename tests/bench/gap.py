#!/usr/bin/env python3
"""gap.py [--runs N] [--how kill|freeze] - How long clients wait when a node
is taken away.

Each run starts three nodes and a checking client with 16 connections to all
of them, takes one node away (kill -9 or SIGSTOP), and notes the longest time
that a command at one of the others waited for its answer. Prints a line per
run, then median and worst, how many acknowledged writes were checked, and how
many of those were lost. Exits 1 when anything was lost, stale or wrong.
"""

import argparse
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

# pylint: disable=wrong-import-position
from cluster import Cluster
from load import Load


def take_away(cluster, load, victim, how):
    """Returns the longest wait in seconds, and when trouble was over."""
    load.reset_gap()
    with load.taking_down(victim.port):
        began = time.monotonic()
        if how == "kill":
            victim.kill()
        else:
            victim.pause()
    load.wait_writes(3000)
    survivors = [node for node in cluster.nodes if node is not victim]
    cluster.wait_settled(2, survivors)
    load.wait_writes(500)
    return load.report.gap_ms / 1000, load.report.trouble_end - began


def run(number, how):
    cluster = Cluster(3, start=False)
    failed = True
    try:
        cluster.start()
        victim = cluster.nodes[number % 3]
        load = Load([node.port for node in cluster.nodes], seed=number)
        load.start().wait_writes(2000)
        gap, recovered = take_away(cluster, load, victim, how)
        report = load.stop()
        for node in cluster.nodes:
            if node is not victim:
                load.verify(node.port)
        failed = False
    finally:
        cluster.close(failed)
    return gap, recovered, report


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--how", choices=("kill", "freeze"), default="kill")
    options = parser.parse_args()

    gaps, recoveries, writes, lost, wrong = [], [], 0, 0, 0
    for number in range(options.runs):
        gap, recovered, report = run(number, options.how)
        gaps.append(gap * 1000)
        recoveries.append(max(recovered, 0))
        writes += report.writes
        lost += len(report.lost)
        refusals = 0 if options.how == "kill" else 1 << 30
        problems = report.problems(refusals)
        wrong += len(problems)
        print(
            "run %2d: longest gap %4.0f ms (%s), last late answer after "
            "%.2f s, %d refused, %d writes%s"
            % (
                number + 1,
                gap * 1000,
                report.gap_what,
                recoveries[-1],
                report.refused,
                report.writes,
                ": %s" % problems if problems else "",
            ),
            flush=True,
        )
    print(
        "%s: gap median %.0f ms, worst %.0f ms; replaced after median %.2f s, "
        "worst %.2f s; %d acknowledged writes checked, %d lost"
        % (
            options.how,
            statistics.median(gaps),
            max(gaps),
            statistics.median(recoveries),
            max(recoveries),
            writes,
            lost,
        )
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
