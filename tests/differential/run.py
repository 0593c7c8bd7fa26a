#!/usr/bin/env python3
"""run.py [--commands N] [--seed S] [--nodes 1 3] - The same random commands to
redis-server and to Holdfast, and every reply compared.

Commands go out in batches, by RESP2 in one round and RESP3 in the next; with
several nodes each batch goes to another one, which mostly has to forward it.
Replies must be equal in every byte, except where docs/COMMANDS.md says
otherwise; what that is, is the list DIFFERENT below, and nothing else. On a
difference prints the commands of that batch, the two replies and how to run it
again. The last line is "counted PASSED FAILED", in rounds.

Environment: HOLDFAST_BUILD and HOLDFAST_PATIENCE, see tests/e2e/cluster.py.
"""

import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

# pylint: disable=wrong-import-position
import cluster
import commands

BATCH = 50
ROUND = 1000  # Commands by one version of the protocol.


class Unfinished(Exception):
    """More bytes are needed."""


def line_end(data, at):
    end = data.find(b"\r\n", at)
    if end < 0:
        raise Unfinished
    return end


def parse(data, at):
    """The reply at @at of @data as nested tuples that begin with its kind, and
    where the next one begins."""
    end = line_end(data, at)
    kind, head = data[at : at + 1], data[at + 1 : end]
    at = end + 2
    if kind in b"+-:,#(_":
        return (kind, head), at
    if head == b"-1":
        return (kind, None), at
    count = int(head)
    if kind in b"$=!":
        if len(data) < at + count + 2:
            raise Unfinished
        return (kind, data[at : at + count]), at + count + 2
    if kind not in b"*%~>":
        raise AssertionError("no reply begins with %r" % kind)
    parts = []
    for _ in range(count * 2 if kind == b"%" else count):
        part, at = parse(data, at)
        parts.append(part)
    return (kind, tuple(parts)), at


class Server:
    """A connection, which is asked in batches."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def send(self, batch):
        self.socket.sendall(b"".join(batch))

    def receive(self, count):
        replies = []
        at = 0
        while len(replies) < count:
            try:
                reply, at = parse(self.data, at)
                replies.append(reply)
            except Unfinished:
                more = self.socket.recv(1 << 18)
                if not more:
                    raise AssertionError("the connection was closed") from None
                self.data = self.data[at:] + more
                at = 0
        self.data = self.data[at:]
        return replies

    def ask(self, *words):
        self.send([encode([w.encode() for w in words])])
        return self.receive(1)[0]

    def close(self):
        self.socket.close()


def encode(words):
    head = b"*%d\r\n" % len(words)
    return head + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Redis:
    """A redis-server of Debian on a port of its own."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="holdfast-differential-")
        self.port = cluster.free_port()
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--save", ""]
                + ["--bind", "127.0.0.1", "--dir", self.directory],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

        def answers():
            try:
                Server(self.port).close()
            except OSError:
                return False
            return True

        cluster.until(answers, 10, "redis-server answers")

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.directory, ignore_errors=True)


def show(words):
    return " ".join(ascii(w)[1:] for w in words)


def run_round(seed, redis, ours):
    """One round; a text about the first difference, or None."""
    rng = random.Random(seed)
    version = rng.choice([2, 3])
    for server in [redis] + ours:
        server.ask("HELLO", str(version))
        server.ask("SELECT", "0")
    redis.ask("FLUSHALL")
    ours[0].ask("FLUSHALL")
    maker = commands.Maker(rng)
    made = 0
    while made < ROUND:
        # A transaction stays on its connection, and is never cut in two.
        batch = maker.batch(BATCH)
        made += len(batch)
        encoded = [encode(words) for words in batch]
        asked = rng.choice(ours)
        redis.send(encoded)
        asked.send(encoded)
        wanted = redis.receive(len(batch))
        try:
            found = asked.receive(len(batch))
        except AssertionError as error:
            return "%s\n%s" % ("\n".join(show(w) for w in batch), error)
        for i, words in enumerate(batch):
            if wanted[i] == found[i]:
                continue
            if commands.may_differ(words, wanted[i], found[i], version):
                continue
            before = [show(w) for w in batch[: i + 1]]
            return "%s\nredis-server: %s\nholdfast:     %s\nin RESP%d" % (
                "\n".join(before),
                wanted[i],
                found[i],
                version,
            )
    return None


def run(nodes, first_seed, total, keep_going):
    """(commands, rounds that failed)."""
    redis = Redis()
    ours = cluster.Cluster(nodes)
    failed = 0
    began = time.monotonic()
    rounds = (total + ROUND - 1) // ROUND
    try:
        connections = [Server(redis.port)]
        connections += [Server(node.port) for node in ours.nodes]
        for seed in range(first_seed, first_seed + rounds):
            wrong = run_round(seed, connections[0], connections[1:])
            if wrong is None:
                continue
            failed += 1
            print(wrong)
            print(
                "again: tests/differential/run.py --nodes %d --seed %d"
                " --commands %d" % (nodes, seed, ROUND)
            )
            if not keep_going:
                break
        for connection in connections:
            connection.close()
    finally:
        redis.close()
        ours.close(failed > 0)
    print(
        "%d nodes: %d commands in %.0f s, %d of %d rounds differed"
        % (nodes, rounds * ROUND, time.monotonic() - began, failed, rounds)
    )
    return rounds, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--commands", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--keep-going", action="store_true")
    options = parser.parse_args()
    passed = failed = 0
    for nodes in options.nodes:
        rounds, wrong = run(
            nodes, options.seed, options.commands, options.keep_going
        )
        passed += rounds - wrong
        failed += wrong
    print("counted %d %d" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
