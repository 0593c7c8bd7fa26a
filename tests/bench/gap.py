"""gap.py - How long clients wait when a node is taken away.

Each run starts three nodes and a checking client with 16 connections to all
of them, takes one node away (kill -9 or SIGSTOP), and notes the longest time
that a command at one of the others waited for its answer, and when the last
one was late or refused.
"""

import os
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
    """@how: "kill" or "freeze". Seconds of the longest wait, seconds until
    nobody waited or was refused any more, and what the client saw."""
    cluster = Cluster(3, start=False)
    failed = True
    try:
        cluster.start(start_new_session=True)  # Ctrl-C is for us alone.
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
    return gap, max(recovered, 0), report
