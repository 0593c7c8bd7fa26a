#!/usr/bin/env python3
"""compare.py [--rounds N] [--requests N] - Holdfast beside redis-server.

Runs redis-benchmark (50 connections, values of 1 KiB, 100,000 keys) against
one Holdfast node, two nodes with a copy of everything, and redis-server
without persistence, in turn, on this machine, in this run. Prints the median
over the rounds of operations per second, the processor seconds that all
processes of the server used per million operations, and both as ratios to
Redis. Client and servers share the processors, which favours servers that
use fewer of them.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

# pylint: disable=wrong-import-position
from cluster import Cluster, Node, free_port, until


class Redis(Node):
    """redis-server, run as a node is."""

    def command(self):
        return (
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
            + ["--save", "", "--appendonly", "no"]
        )


class Server:
    """One contestant: its processes, and what was measured."""

    def __init__(self, name, nodes):
        self.name = name
        self.nodes = nodes
        self.rates = {}
        self.costs = {}

    def measure(self, test, requests):
        before = sum(node.processor_seconds() for node in self.nodes)
        done = subprocess.run(
            ["redis-benchmark", "-h", "127.0.0.1", "-c", "50", "-d", "1024"]
            + ["-p", str(self.nodes[0].port), "-r", "100000"]
            + ["-n", str(requests), "-t", test, "--csv"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=300,
            check=True,
        )
        used = sum(node.processor_seconds() for node in self.nodes) - before
        found = re.search(r'^"%s","([0-9.]+)"' % test.upper(),
                          done.stdout.decode(), re.M)
        self.rates.setdefault(test, []).append(float(found.group(1)))
        self.costs.setdefault(test, []).append(used / requests * 1e6)


def report(servers):
    redis = servers[-1]
    print("%-22s %-4s %10s %7s %12s %7s" % (
        "server", "", "ops/s", "ratio", "cpu s/Mop", "ratio"))
    for test in ("set", "get"):
        for server in servers:
            rate = statistics.median(server.rates[test])
            cost = statistics.median(server.costs[test])
            print("%-22s %-4s %10.0f %7.2f %12.2f %7.2f" % (
                server.name, test.upper(), rate,
                rate / statistics.median(redis.rates[test]), cost,
                cost / statistics.median(redis.costs[test])))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=200000)
    options = parser.parse_args()

    one = Cluster(1, start=False)
    two = Cluster(2, start=False)
    redis = Cluster(0, start=False)
    with tempfile.TemporaryDirectory() as directory:
        redis.nodes.append(Redis(directory, "redis", port=free_port()))
        try:
            one.start()
            two.start()
            redis.nodes[0].start()
            until(redis.nodes[0].answers, 10, "redis-server answers")
            servers = [
                Server("holdfast, 1 node", one.nodes),
                Server("holdfast, 2 and a copy", two.nodes),
                Server("redis-server", redis.nodes),
            ]
            for number in range(options.rounds):
                for test in ("set", "get"):
                    for server in servers:
                        server.measure(test, options.requests)
                print("round %d of %d" % (number + 1, options.rounds),
                      flush=True)
            report(servers)
        finally:
            for cluster in (one, two, redis):
                cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
