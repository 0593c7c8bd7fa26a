"""sizes.py - What more sessions cost, and for how long a node holds others up.

A turn of the loop is what all that arrives meanwhile has to wait for. INFO
counts turns by how long they took (loop_lag_*) and by the processor time of
their thread (loop_cpu_*), which is what the node itself can do about it: on a
machine that is shared, read the latter. What a phase did is the difference of
two looks.
"""

import time

from cluster import until
from servers import Holdfast

VALUE_BYTES = 16
LOAD = {"connections": 50, "pipeline": 16, "value": VALUE_BYTES}
KEEP = 86400  # Seconds to live of what is to stay.
EXPIRING = 1000000
SPARE = 5  # Seconds that writing them may take longer than it should.
BOUNDS = (2, 5, 10)


def turns_of(node):
    text = node.call("INFO", "holdfast").decode()
    pairs = [line.split(":", 1) for line in text.split() if ":" in line]
    return {key: int(value) for key, value in pairs if key[:5] == "loop_"}


class Turns:
    """The turns of some nodes, phase by phase."""

    def __init__(self, server):
        self.server = server
        self.before = {}
        self.rows = []
        self.look()

    def look(self):
        self.before = {n.name: turns_of(n) for n in self.server.running()}

    def phase(self, title):
        """Notes what happened since the last call."""
        before = self.before
        self.look()
        for name, now in self.before.items():
            then = before.get(name, {})
            if then.get("loop_turns", 0) > now["loop_turns"]:
                then = {}  # It was started anew.
            grown = {key: now[key] - then.get(key, 0) for key in now}
            words = [title, name, "{:,}".format(grown["loop_turns"])]
            for what in ("cpu", "lag"):
                words += [grown["loop_%s_over_%dms" % (what, bound)]
                          for bound in BOUNDS]
                longest = now["loop_%s_max_us" % what] / 1000
                is_new = longest > then.get("loop_%s_max_us" % what, 0) / 1000
                words.append("%.1f" % longest if is_new else "")
            self.rows.append(words)

    def print(self):
        print("\n| | node | turns | over 2 ms of CPU | 5 | 10 "
              "| longest, if the longest so far "
              "| over 2 ms of time | 5 | 10 | longest |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for words in self.rows:
            print("| %s |" % " | ".join(str(word) for word in words))


class Server(Holdfast):
    seconds_each = 0  # Of a session that was written last.

    def running(self):
        return self.cluster.running()

    def load(self, **options):
        merged = dict(LOAD)
        merged.update(options)
        return super().load(**merged)

    def fill(self, first, count, **options):
        """CPU seconds that it took to add @count sessions."""
        options.setdefault("ttl", KEEP)
        began = time.monotonic()
        result = self.load(fill=True, requests=0, sessions=first + count,
                           **{"from": first}, **options)
        self.seconds_each = (time.monotonic() - began) / count
        return result["cpu"]

    def close(self):
        """By kill -9: to give back what ten million sessions take, piece by
        piece, takes a while."""
        for node in self.running():
            node.kill()
        super().close()

    def count(self):
        return self.nodes[0].call("DBSIZE")


def expire_together(server, turns, kept):
    """A million more sessions, which all end at the same moment. Seconds until
    the last of them was gone."""
    at = int(time.time() + SPARE + 1.5 * EXPIRING * server.seconds_each)
    server.fill(kept, EXPIRING, **{"expire-at": at})
    if server.count() != kept + EXPIRING or time.time() > at:
        raise AssertionError("the machine is too slow for this")
    turns.phase("writing %s that end together" % "{:,}".format(EXPIRING))
    time.sleep(max(0, at - time.time()))
    until(lambda: server.count() == kept, 60, "all have expired")
    took = time.time() - at
    turns.phase("these expire")
    return took


def measure_sizes(sizes, seconds, wrong):
    """One node that grows."""
    print("\n| sessions | SET of a new one, CPU µs | 80/20, CPU µs | ops/s "
          "| resident bytes of a session over key and value |")
    print("|---|---|---|---|---|")
    server = Server(1)
    try:
        server.start()
        turns = Turns(server)
        empty = server.resident_bytes()
        first = 0
        for size in sizes:
            text = "{:,}".format(size)
            filled = server.fill(first, size - first) / (size - first)
            turns.phase("one node grows to %s" % text)
            result = server.load(seconds=seconds, sessions=size, ttl=KEEP)
            wrong.check(result, text)
            turns.phase("80/20 with %s" % text)
            resident = (server.resident_bytes() - empty) / size
            print("| %s | %.2f | %.2f | %s | %.0f |" % (
                text, filled * 1e6, result["cpu"] / result["ops"] * 1e6,
                "{:,.0f}".format(result["throughput"]),
                resident - 13 - VALUE_BYTES), flush=True)
            first = size
        took = expire_together(server, turns, first)
    finally:
        server.close()
    turns.print()
    print("\n%s sessions that ended together were gone after %.1f s" % (
        "{:,}".format(EXPIRING), took), flush=True)


def measure_changes(sessions, wrong):
    """Three nodes: kill -9 of one, its return, and expiry."""
    server = Server(3)
    try:
        server.start()
        turns = Turns(server)
        server.fill(0, sessions)
        turns.phase("three nodes grow to %s" % "{:,}".format(sessions))
        victim = server.nodes[2]
        victim.kill()
        time.sleep(1)  # So that it is not settled because nobody noticed.
        server.cluster.wait_settled(2, timeout=120)
        turns.phase("kill -9 of node3, its copies are filled anew")
        victim.start(start_new_session=True)
        victim.wait_answers()
        server.cluster.wait_settled(3, timeout=120)
        turns.phase("node3 is back and filled")
        took = expire_together(server, turns, sessions)
        wrong.check(server.load(seconds=1, sessions=sessions), "three nodes")
    finally:
        server.close()
    turns.print()
    print("\n%s sessions that ended together were gone after %.1f s" % (
        "{:,}".format(EXPIRING), took), flush=True)


def measure_machine(seconds):
    """What seems to take long where nothing is done but to read the clock of
    processor time: on a virtual machine, what another one takes counts, too."""
    over = dict.fromkeys(BOUNDS, 0)
    longest = 0
    began = before = time.thread_time_ns()
    while before - began < seconds * 1e9:
        now = time.thread_time_ns()
        step = (now - before) / 1e6
        before = now
        if step > longest:
            longest = step
        if step > BOUNDS[0]:
            for bound in BOUNDS:
                over[bound] += step > bound
    counts = ["%d over %d ms" % (over[bound], bound) for bound in BOUNDS]
    print("\nof %d s of CPU of a process that only reads its clock: %s; "
          "longest %.1f ms" % (seconds, ", ".join(counts), longest), flush=True)
