#!/usr/bin/env python3
"""nodes.py [--rounds N] [--seconds S] - What --nodes gives.

One host without copies, and two with one copy of each session and all clients
at one of them, each with one, two and four nodes to a host. A ratio is that of
two measurements of the same round, to the one with one node; there are the
medians, with the least and the greatest. CPU is that of all processes. "Cores'
worth" is how many times as much as one node to a host so many would serve, had
each a core of its own and never to wait: their number by the ratio of CPU.

Takes the binaries in HOLDFAST_BUILD, which should be a release.
"""

import argparse
import contextlib
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

# pylint: disable=wrong-import-position
from servers import ALONE, Cluster, Contestant

SESSIONS = 20000
COUNTS = (1, 2, 4)
LOADS = {"no pipeline": 1, "pipeline 16": 16}


class Hosts(Contestant):
    def __init__(self, hosts, count):
        name = "%d host%s, %d node%s" % (
            hosts, "s" * (hosts > 1), count, "s" * (count > 1))
        super().__init__(name)
        self.count = count
        self.cluster = Cluster(0)
        self.nodes = self.cluster.nodes
        for number in range(hosts):
            label = "host%d" % number
            self.cluster.add(nodes=count, backups=hosts - 1, host_label=label)
        for node in self.nodes:
            node.seeds = list(self.nodes)

    def start(self):
        for node in self.nodes:
            node.start(**ALONE)
        self.cluster.wait_settled(len(self.nodes) * self.count)
        return self

    def close(self):
        self.cluster.close()


def measure(hosts, options):
    """{(count, load): [(operations/s, processor s of one)]}, of each round."""
    found = {(count, load): [] for count in COUNTS for load in LOADS}
    with contextlib.ExitStack() as stack:
        servers = []
        for count in COUNTS:
            servers.append(Hosts(hosts, count))
            stack.callback(servers[-1].close)
            servers[-1].start()
            servers[-1].load(fill=True, requests=0, sessions=SESSIONS)
        for turn in range(options.rounds):
            for server in servers:
                for load, pipeline in LOADS.items():
                    result = server.load(
                        seconds=options.seconds, seed=turn + 1,
                        sessions=SESSIONS, pipeline=pipeline)
                    bad = sum(result[w] for w in ("missing", "errors", "wrong"))
                    if bad:
                        sys.exit("%s: %d wrong answers" % (server.name, bad))
                    found[server.count, load].append(
                        (result["throughput"], result["cpu"] / result["ops"]))
    return found


def spread(values):
    return "%.2f (%.2f–%.2f)" % (
        statistics.median(values), min(values), max(values))


def print_table(hosts, found):
    print("\n%s\n" % ("Two hosts, one copy" if hosts > 1 else "One host"))
    print("| load | nodes | ops/s | to one node | CPU of an operation | cores' "
          "worth |")
    print("|---|---|---|---|---|---|")
    for load in LOADS:
        for count in COUNTS:
            pairs = list(zip(found[count, load], found[1, load]))
            rates = [ours[0] / one[0] for ours, one in pairs]
            costs = [ours[1] / one[1] for ours, one in pairs]
            middle = statistics.median(rate for rate, _ in found[count, load])
            print("| %s | %d | %s | %s | %s | %.1f |" % (
                load, count, "{:,.0f}".format(middle), spread(rates),
                spread(costs), count / statistics.median(costs)))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=1,
                        help="of one measurement")
    options = parser.parse_args()
    for hosts in (1, 2):
        print_table(hosts, measure(hosts, options))


if __name__ == "__main__":
    main()
