"""servers.py - What a run puts on its machines: Holdfast, or Redis Cluster.

Both kinds of cluster offer the same, so that the same faults and clients can
drive both:

    servers              one per machine; start, kill, pause, resume, terminate
    start()              all of them, until they are one settled cluster
    wait_settled()       until every copy is where it should be
    victims()            those whose loss should matter
    prepare_stop(server) what an operator does before stopping it
    connection(...)      a client's way into the cluster
"""

import json
import os
import re
import subprocess

import cluster as e2e
import clients
import resp

PORT = 7379
SETTLE_S = 60


class Server(e2e.Node):
    """A process on a machine of its own."""

    def __init__(self, directory, machine, **settings):
        super().__init__(
            directory,
            "n%d" % machine.number,
            port=PORT,
            peer_port=PORT + 10000,
            **settings
        )
        self.machine = machine
        self.number = machine.number
        self.address = machine.address

    def client(self, timeout=10.0, **options):
        return resp.Client(
            self.port, self.address, timeout * e2e.PATIENCE, **options
        )

    def words(self):
        raise NotImplementedError

    def command(self):
        return self.machine.command(self.words())


class HoldfastServer(Server):
    def words(self):
        words = [e2e.HOLDFASTD, "--name", self.name, "--bind", self.address]
        words += ["--port", str(self.port)]
        words += ["--peer-port", str(self.peer_port)]
        seeds = ["%s:%d" % (s.address, s.peer_port) for s in self.seeds]
        words += ["--seeds", ",".join(seeds)]
        for setting, value in self.settings.items():
            words += ["--" + setting.replace("_", "-"), str(value)]
        return words

    def status(self, *more):
        words = [e2e.HOLDFAST, "status", "--json", "--host", self.address]
        words += ["--port", str(self.port)] + list(more)
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=20 * e2e.PATIENCE,
            check=False,
        )
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            return done.returncode, None


class Group:
    """Processes that belong together: @servers."""

    servers = []

    def end(self):
        """Ends all; says who had ended by itself."""
        problems = []
        for server in self.servers:
            process = server.process
            if process is None:
                continue
            if process.poll() is not None:
                text = "%s ended by itself: %s"
                problems.append(text % (server.name, process.returncode))
            process.kill()
            process.wait(20)
            server.process = None
        return problems


class Holdfast(Group):
    """@machines nodes with the default settings but for @settings."""

    name = "holdfast"
    # Where no side forks, what clients see has a single history.
    ONE_HISTORY = {"partition_policy": "majority"}

    def __init__(self, directory, machines, **settings):
        self.servers = [
            HoldfastServer(directory, machine, **settings)
            for machine in machines
        ]
        for server in self.servers:
            server.seeds = self.servers

    @staticmethod
    def machines_for(nodes):
        return nodes

    def start(self):
        for server in self.servers:
            server.start()
        self.wait_settled()

    def victims(self):
        return list(self.servers)

    def prepare_stop(self, server):
        """SIGTERM is all it takes."""

    def wait_settled(self):
        def settled():
            for server in self.servers:
                server.check_running()
                code, status = server.status()
                if code != 0 or status is None:
                    return False
                if len(status["members"]) != len(self.servers):
                    return False
            return True

        e2e.until(settled, SETTLE_S, "the cluster has settled")

    def connection(self, number, sticky, rng):
        return clients.NodeConnection(self.servers, number, sticky, rng)

    def alarms(self):
        found = []
        for server in self.servers:
            alarm = e2e.ALARMS.search(server.log())
            if alarm:
                found.append("%s logged %s" % (server.name, alarm.group(0)))
        return found


class RedisServer(Server):
    def words(self):
        return [
            "redis-server",
            *("--port", str(self.port)),
            *("--bind", self.address),
            *("--protected-mode", "no"),
            *("--dir", os.path.dirname(self.log_path)),
            *("--save", ""),
            *("--appendonly", "no"),
            *("--repl-diskless-sync-delay", "0"),
            *("--cluster-enabled", "yes"),
            *("--cluster-config-file", "nodes-%s.conf" % self.name),
            *("--cluster-node-timeout", "1000"),
            *("--cluster-require-full-coverage", "no"),
        ]


class Redis(Group):
    """Three primaries and three replicas, each on a machine of its own, in
    memory only, like Holdfast. The settings are those of RedisServer."""

    name = "redis"
    ONE_HISTORY = {}
    PRIMARIES = 3
    SLOTS = 16384

    def __init__(self, directory, machines):
        self.servers = [RedisServer(directory, m) for m in machines]
        self.of_address = {s.address: s for s in self.servers}

    @staticmethod
    def machines_for(nodes):
        return 2 * Redis.PRIMARIES

    def start(self):
        for server in self.servers:
            server.start()
        for server in self.servers:
            server.wait_answers()
        primaries = self.servers[: self.PRIMARIES]
        for i, server in enumerate(self.servers):
            server.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for i, server in enumerate(primaries):
            first = i * self.SLOTS // self.PRIMARIES
            last = (i + 1) * self.SLOTS // self.PRIMARIES - 1
            server.call("CLUSTER", "ADDSLOTSRANGE", first, last)
        for server in self.servers[1:]:
            self._meet(server)
        for i, server in enumerate(self.servers[self.PRIMARIES :]):
            self._make_replica(server, primaries[i])
        self.wait_settled()

    def _meet(self, server):
        self.servers[0].call("CLUSTER", "MEET", server.address, PORT)

    def _make_replica(self, server, primary):
        node_id = primary.call("CLUSTER", "MYID")

        def knows_it():
            if server.call("CLUSTER", "REPLICATE", node_id) == b"OK":
                return True
            for other in self.servers[1:]:
                self._meet(other)  # Forgotten after a second without answer.
            return False

        e2e.until(knows_it, SETTLE_S, "a replica knows its primary")

    @staticmethod
    def _info(server):
        """INFO as a dict, {} when there is no answer."""
        try:
            with server.client(timeout=2) as client:
                text = client.call("INFO", "replication")
                text += b"\n" + client.call("CLUSTER", "INFO")
        except (OSError, TypeError):
            return {}
        pairs = re.findall(r"(?m)^([a-z_0-9]+):(.*?)\r?$", text.decode())
        return dict(pairs)

    def roles(self):
        return {s: self._info(s).get("role") for s in self.servers}

    def victims(self):
        return [s for s, role in self.roles().items() if role == "master"]

    def prepare_stop(self, server):
        """Hands over to the replica first, as its manual advises."""
        if self._info(server).get("role") != "master":
            return
        for replica in self.servers:
            if self._info(replica).get("master_host") == server.address:
                replica.call("CLUSTER", "FAILOVER")
                e2e.until(
                    lambda s=server: self._info(s).get("role") == "slave",
                    20,
                    "%s has handed over" % server.name,
                )
                return

    def wait_settled(self):
        e2e.until(self._is_settled, SETTLE_S, "the cluster has settled")

    def _is_settled(self):
        primaries = 0
        for server in self.servers:
            server.check_running()
            info = self._info(server)
            if info.get("cluster_state") != "ok":
                return False
            if info.get("role") == "master":
                primaries += 1
                if info.get("connected_slaves", "0") == "0":
                    return False
            elif info.get("master_link_status") != "up":
                return False
        return primaries == self.PRIMARIES and self._views_agree()

    def _views_agree(self):
        """Whether all know the same primaries, and nobody as failed."""
        views = set()
        for server in self.servers:
            text = server.call("CLUSTER", "NODES").decode()
            if "fail" in text.replace("nofailover", ""):
                return False
            lines = [line.split() for line in text.splitlines()]
            views.add(
                tuple(sorted((w[0], tuple(w[8:])) for w in lines if w[8:]))
            )
        return len(views) == 1

    def connection(self, number, sticky, rng):
        return clients.SlotConnection(self.servers, self.of_address, rng)

    def alarms(self):
        return []


KINDS = {"holdfast": Holdfast, "redis": Redis}
