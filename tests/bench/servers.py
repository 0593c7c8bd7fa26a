"""servers.py - The contestants of run.py, and one measurement of one of them.

A Contestant is a handful of processes that serve one port: Holdfast with some
nodes, or redis-server with or without a replica. All that is started is ended
by close(), by its process id.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

# pylint: disable=wrong-import-position
from cluster import BUILD, Cluster, Node, free_port, until

LOAD = os.path.join(BUILD, "tests", "load")
# A signal from the terminal is for the benchmark; it ends the servers.
ALONE = {"start_new_session": True}


class Redis(Node):
    """redis-server or its like, without persistence, run as a node is."""

    program = "redis-server"
    master = None

    def command(self):
        words = [self.program, "--port", str(self.port)]
        words += ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        if self.master is not None:
            words += ["--replicaof", "127.0.0.1", str(self.master.port)]
        return words

    def is_copied(self):
        return "state=online" in self.call("INFO", "replication").decode()


class Contestant:
    """One server, whatever it consists of. The first node is the one that
    clients talk to."""

    def __init__(self, name, wait=0):
        self.name = name
        self.wait = wait  # What each SET has to WAIT for.
        self.nodes = []

    def close(self):
        raise NotImplementedError

    def processor_seconds(self):
        return sum(node.processor_seconds() for node in self.nodes)

    def resident_bytes(self):
        return sum(node.resident_bytes() for node in self.nodes)

    def accounted_bytes(self):
        """What the server says that its data takes."""
        text = self.nodes[0].call("INFO", "memory").decode()
        for line in text.splitlines():
            if line.startswith("used_memory:"):
                return int(line.split(":")[1])
        raise AssertionError("INFO memory says nothing of used_memory")

    def load(self, **options):
        """Runs the load program; what it printed, and `cpu`, the processor
        seconds that all processes of the server used meanwhile."""
        words = [LOAD, "--port", str(self.nodes[0].port)]
        if self.wait:
            words += ["--wait", str(self.wait)]
        for option, value in options.items():
            words += ["--" + option]
            words += [] if value is True else [str(value)]
        before = self.processor_seconds()
        done = subprocess.run(
            words, stdout=subprocess.PIPE, check=True, **ALONE
        )
        result = json.loads(done.stdout)
        result["cpu"] = self.processor_seconds() - before
        return result


class Holdfast(Contestant):
    def __init__(self, count):
        name = "holdfast, %d node%s" % (count, "s" if count > 1 else "")
        super().__init__(name)
        self.cluster = Cluster(count, start=False)
        self.nodes = self.cluster.nodes

    def start(self):
        self.cluster.start(**ALONE)
        return self

    def close(self):
        self.cluster.close()


class RedisServer(Contestant):
    def __init__(self, program="redis-server", replica=False):
        name = program + (" + replica" if replica else "")
        super().__init__(name, 1 if replica else 0)
        self.directory = tempfile.mkdtemp(prefix="holdfast-bench-")
        for number in range(2 if replica else 1):
            name = "%s-%d" % (program, number)
            node = Redis(self.directory, name, port=free_port())
            node.program = program
            node.master = self.nodes[0] if number else None
            self.nodes.append(node)

    def start(self):
        for node in self.nodes:
            node.start(cwd=self.directory, **ALONE)
            node.wait_answers()
        if self.wait:
            until(self.nodes[0].is_copied, 30, "the replica is online")
        return self

    def close(self):
        for node in self.nodes:
            if node.process is not None:
                node.terminate()
        shutil.rmtree(self.directory, ignore_errors=True)
