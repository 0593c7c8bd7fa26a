"""Other ways in than the plain port: the Unix socket, Sentinel, the cluster
protocol; and what a node says that cannot serve yet."""

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
import unittest

import cluster
import resp

HERE = os.path.dirname(os.path.abspath(__file__))


def python_with_redis():
    """An interpreter that has redis-py, or None."""
    for python in (sys.executable, "/usr/bin/python3"):
        if shutil.which(python) and not subprocess.call(
            [python, "-c", "import redis"], stderr=subprocess.DEVNULL
        ):
            return python
    return None


def php_has_redis():
    if not shutil.which("php"):
        return False
    return b"redis" in subprocess.check_output(["php", "-m"]).split()


PYTHON = python_with_redis()
PACKAGES = os.path.join(HERE, "..", "clients", "node", "node_modules")


class Driver:
    """A client library at work in a process of its own."""

    def __init__(self, *words):
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        line = self.process.stdout.readline()
        if line != "ready\n":
            raise AssertionError("driver: %s" % self.process.communicate()[1])

    def finish(self):
        """What it saw, once it has been told to end."""
        out, err = self.process.communicate(timeout=60 * cluster.PATIENCE)
        code = self.process.returncode
        if code != 0:
            said = out + err
            raise AssertionError("driver ended with %d: %s" % (code, said))
        return json.loads(out)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def raw_info(client):
    text = client.call("INFO").decode()
    return dict(l.split(":", 1) for l in text.split("\r\n") if ":" in l)


class UnixSocketTest(cluster.ClusterTest):
    def call(self, path, *words):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10 * cluster.PATIENCE)
            client.connect(path)
            client.sendall(resp.encode(*words))
            return client.recv(65536)

    def refused(self, path):
        nodes = self.cluster(1, start=False, unix_socket=path).nodes
        nodes[0].start()
        self.assertIn(nodes[0].wait_exit(), (1, 2))
        return nodes[0].log()

    def test_serves_replaces_what_was_left_and_removes_it(self):
        c = self.cluster(1, start=False)
        nodes = c.nodes
        path = os.path.join(os.path.dirname(nodes[0].log_path), "s")
        nodes[0].settings["unix_socket"] = path
        c.start()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(self.call(path, "SET", "k", "v"), b"+OK\r\n")
        self.assertEqual(nodes[0].call("GET", "k"), b"v")
        if shutil.which("redis-cli"):
            out = subprocess.check_output(["redis-cli", "-s", path, "GET", "k"])
            self.assertEqual(out, b"v\n")
        nodes[0].kill()
        self.assertTrue(os.path.exists(path))
        nodes[0].start().wait_answers()
        self.assertEqual(self.call(path, "PING"), b"+PONG\r\n")
        self.assertIn("a live process listens there", self.refused(path))
        self.assertEqual(self.call(path, "PING"), b"+PONG\r\n")
        self.assertEqual(nodes[0].terminate(), 0)
        self.assertFalse(os.path.exists(path))
        with open(path, "w", encoding="ascii") as file:
            file.write("mine")
        self.assertIn("not a socket", self.refused(path))
        with open(path, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")


class LoadingTest(cluster.ClusterTest):
    def test_a_node_that_joins_is_loading_until_it_serves(self):
        with socket.socket() as silent:
            # Somebody who may be a node keeps it from starting a cluster.
            silent.bind(("127.0.0.1", 0))
            silent.listen(8)
            nodes = self.cluster(1, start=False).nodes
            peer = cluster.Node("", "silent", peer_port=silent.getsockname()[1])
            nodes[0].seeds = nodes + [peer]
            nodes[0].start().wait_answers()
            with nodes[0].client() as client:
                info = raw_info(client)
                self.assertEqual(info["loading"], "1")
                self.assertEqual(info["loading_eta_seconds"], "1")
                self.assertIsNone(
                    client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "any")
                )
        with nodes[0].client() as client:
            cluster.until(
                lambda: raw_info(client)["loading"] == "0", 30, "it serves"
            )
            self.assertEqual(client.call("SET", "k", "v"), b"OK")


class SurfaceTest(cluster.ClusterTest):
    def start(self, count=3):
        c = self.cluster(count, start=False)
        for node in c.nodes:
            node.settings["cluster_port"] = cluster.free_port()
        c.start()
        return c

    def drive(self, *words):
        driver = Driver(*words)
        self.addCleanup(driver.close)
        return driver

    def assert_survives(self, c, driver, patience=1):
        """A node dies, comes back, and another leaves: the library goes on and
        loses nothing; in the end after @patience seconds at most."""
        time.sleep(1)
        c.nodes[0].kill()
        c.wait_settled(members=2)
        time.sleep(1)
        c.nodes[0].start()
        c.wait_settled(members=3)
        time.sleep(1)
        self.assertEqual(c.nodes[1].terminate(60), 0)
        c.wait_settled(members=2)
        time.sleep(patience)
        said = driver.finish()
        print("    %s" % said, file=sys.stderr)
        self.assertEqual(said["wrong"], [])
        self.assertGreater(said["done"], 100)
        self.assertLess(said["last"], 1)
        self.assertLess(sum(said["errors"].values()), said["done"] / 10)
        return said

    def test_sentinel_finds_nodes_that_live(self):
        c = self.start()
        with c.nodes[0].client() as client:
            masters = client.call("SENTINEL", "MASTERS")
            self.assertEqual(len(masters), 2)
            address = [b"127.0.0.1", b"%d" % c.nodes[0].port]
            words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "any")
            self.assertEqual(client.call(*words), address)
            others = client.call("SENTINEL", "SENTINELS", "any")
            ports = {int(o[o.index(b"port") + 1]) for o in others}
            self.assertEqual(ports, {n.port for n in c.nodes[1:]})
            c.nodes[2].kill()
            c.wait_settled(members=2)
            others = client.call("SENTINEL", "SENTINELS", "any")
            self.assertEqual(len(others), 1)

    @unittest.skipUnless(PYTHON, "no redis-py")
    def test_redis_py_sentinel_survives(self):
        c = self.start()
        ports = [str(node.port) for node in c.nodes]
        words = [PYTHON, os.path.join(HERE, "driver.py"), "sentinel"]
        self.assert_survives(c, self.drive(*words, *ports))

    @unittest.skipUnless(PYTHON, "no redis-py")
    def test_redis_py_cluster_survives(self):
        c = self.start()
        ports = [str(node.settings["cluster_port"]) for node in c.nodes]
        words = [PYTHON, os.path.join(HERE, "driver.py"), "cluster"]
        self.assert_survives(c, self.drive(*words, *ports))

    @unittest.skipUnless(php_has_redis(), "no phpredis")
    def test_phpredis_cluster_survives(self):
        c = self.start()
        ports = [str(node.settings["cluster_port"]) for node in c.nodes]
        words = ["php", os.path.join(HERE, "driver.php")]
        # It may go round in circles for its own timeout of 5 s.
        self.assert_survives(c, self.drive(*words, *ports), 7)

    def node_survives(self, kind, package):
        if not os.path.isdir(os.path.join(PACKAGES, package)):
            self.skipTest("no package %s in tests/clients/node" % package)
        c = self.start()
        words = ["node", os.path.join(HERE, "driver.mjs"), kind, package]
        for node in c.nodes:
            sentinel = kind == "sentinel"
            port = node.port if sentinel else node.settings["cluster_port"]
            words.append(str(port))
        self.assert_survives(c, self.drive(*words))

    def test_ioredis_cluster_survives(self):
        self.node_survives("cluster", "ioredis-5")

    def test_ioredis_sentinel_survives(self):
        self.node_survives("sentinel", "ioredis-5")

    def test_node_redis_cluster_survives(self):
        self.node_survives("cluster", "redis-5")

    def test_node_redis_sentinel_survives(self):
        self.node_survives("sentinel", "redis-5")

    @unittest.skipUnless(shutil.which("redis-cli"), "no redis-cli")
    def test_redis_cli_follows(self):
        c = self.start()
        port = str(c.nodes[0].settings["cluster_port"])
        for i in range(30):
            words = ["redis-cli", "-c", "-p", port]
            out = subprocess.check_output(words + ["SET", "k%d" % i, "v"])
            self.assertEqual(out, b"OK\n")
            out = subprocess.check_output(words + ["GET", "k%d" % i])
            self.assertEqual(out, b"v\n")

    def test_the_table_is_whole_and_the_same_and_sends_to_the_right_node(self):
        c = self.start()
        clients = [resp.Client(n.settings["cluster_port"]) for n in c.nodes]
        for client in clients:
            self.addCleanup(client.close)
        tables = [client.call("CLUSTER", "SLOTS") for client in clients]
        self.assertEqual(tables[0], tables[1])
        self.assertEqual(tables[0], tables[2])
        at = 0
        for first, last, _ in tables[0]:
            self.assertEqual(first, at)
            at = last + 1
        self.assertEqual(at, 16384)
        by_port = dict(
            zip([n.settings["cluster_port"] for n in c.nodes], clients)
        )
        for i in range(100):
            key = "k%d" % i
            slot = clients[0].call("CLUSTER", "KEYSLOT", key)
            port = [r[2][1] for r in tables[0] if r[0] <= slot <= r[1]][0]
            for number, client in by_port.items():
                if number == port:
                    self.assertEqual(client.call("SET", key, i), b"OK")
                    count = client.call("CLUSTER", "COUNTKEYSINSLOT", slot)
                    self.assertGreaterEqual(count, 1)
                    keys = client.call("CLUSTER", "GETKEYSINSLOT", slot, 100)
                    self.assertIn(key.encode(), keys)
                else:
                    moved = "MOVED %d 127.0.0.1:%d" % (slot, port)
                    said = client.call("SET", key, i)
                    self.assertIsInstance(said, resp.ReplyError)
                    self.assertEqual(str(said), moved)
        self.assert_each_has_its_own(c, clients)

    def assert_each_has_its_own(self, c, clients):
        found = []
        for client in clients:
            keys = client.call("KEYS", "*")
            cursor, scanned = b"0", []
            while True:
                cursor, page = client.call("SCAN", cursor, "COUNT", 3)
                scanned += page
                if cursor == b"0":
                    break
            self.assertEqual(sorted(scanned), sorted(keys))
            self.assertEqual(client.call("DBSIZE"), len(keys))
            self.assertIn(client.call("RANDOMKEY"), keys)
            found += keys
        self.assertEqual(sorted(found), sorted(b"k%d" % i for i in range(100)))
        before = clients[0].call("DBSIZE")
        self.assertEqual(clients[0].call("FLUSHALL"), b"OK")
        self.assertEqual(clients[0].call("DBSIZE"), 0)
        self.assertEqual(c.nodes[0].call("DBSIZE"), 100 - before)
        info = raw_info(clients[0])
        self.assertEqual(info["cluster_enabled"], "1")
        self.assertEqual(info["redis_mode"], "cluster")
        said = clients[0].call("MSET", "a", "1", "b", "2")
        self.assertIsInstance(said, resp.ReplyError)
        self.assertIn("CROSSSLOT", str(said))

    def test_a_dead_node_is_nobodys_target(self):
        """Right after a death, before the view changes: no MOVED to it."""
        c = self.start()
        dead = c.nodes[2].settings["cluster_port"]
        client = resp.Client(c.nodes[0].settings["cluster_port"])
        self.addCleanup(client.close)
        client.call("CLUSTER", "SLOTS")  # Who does not ask is not sent away.
        c.nodes[2].kill()
        cluster.until(
            lambda: len(c.nodes[0].status()[1]["members"]) == 2, 20, "a view"
        )
        for i in range(200):
            said = client.call("SET", "k%d" % i, "v")
            if isinstance(said, resp.ReplyError):
                self.assertRegex(str(said), r"^MOVED \d+ 127.0.0.1:\d+$")
                self.assertNotIn(":%d" % dead, str(said))
            else:
                self.assertEqual(said, b"OK")
