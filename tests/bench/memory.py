#!/usr/bin/env python3
"""memory.py [--sessions N] - Memory for sessions of 1 KiB, beside Redis.

Loads N sessions (default 500,000) of 1,024 bytes with a time to live into one
Holdfast node and into redis-server, one after the other, and prints by how
much the resident memory of each grew, per session.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

# pylint: disable=wrong-import-position
from cluster import Cluster, free_port, until
from compare import Redis

VALUE_BYTES = 1024
BATCH = 500


def fill(node, sessions):
    value = b"s" * VALUE_BYTES
    with node.client() as client:
        for start in range(0, sessions, BATCH):
            commands = []
            for number in range(start, min(start + BATCH, sessions)):
                name = hashlib.md5(b"%d" % number).hexdigest()
                commands.append(("SET", "sess:" + name, value, "EX", "86400"))
            for reply in client.pipeline(commands):
                if reply != b"OK":
                    raise AssertionError("SET answered %r" % reply)
        if client.call("DBSIZE") != sessions:
            raise AssertionError("not all sessions are there")


def measure(name, node, sessions):
    before = node.resident_bytes()
    began = time.monotonic()
    fill(node, sessions)
    grown = node.resident_bytes() - before
    print("%-14s %7.0f bytes per session (%d MiB for %d), loaded in %.1f s" % (
        name, grown / sessions, grown >> 20, sessions,
        time.monotonic() - began), flush=True)
    return grown / sessions


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, default=500000)
    sessions = parser.parse_args().sessions

    redis = Cluster(0, start=False)
    with tempfile.TemporaryDirectory() as directory:
        node = Redis(directory, "redis", port=free_port())
        redis.nodes.append(node.start())
        try:
            until(node.answers, 10, "redis-server answers")
            theirs = measure("redis-server", node, sessions)
        finally:
            redis.close()
    holdfast = Cluster(1, start=False)
    try:
        holdfast.start()
        ours = measure("holdfast", holdfast.nodes[0], sessions)
    finally:
        holdfast.close()
    print("holdfast needs %.2f times the memory" % (ours / theirs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
