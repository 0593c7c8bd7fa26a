"""One run through the life of a cluster, short enough for the sanitizers."""

import os

import cluster
from load import Load
from resp import ReplyError


class Smoke(cluster.ClusterTest):
    def test_a_life_of_a_cluster(self):
        c = self.cluster(3)
        load = Load(
            [node.port for node in c.nodes], 8, 10, value_bytes=1000
        ).start()
        load.wait_writes(300)
        victim = c.nodes[1]
        with load.taking_down(victim.port):
            victim.kill()
        load.wait_writes(300)
        c.wait_settled(2)
        victim.start()
        c.wait_settled(3)
        load.expect_up(victim.port)
        load.wait_writes(300)
        self.commands(c.nodes[0], c.nodes[1])
        self.garbage(c.nodes[2])
        report = load.stop()
        for node in c.nodes:
            load.verify(node.port)
        print("    " + report.text())
        # A sanitizer makes a node slow enough to exceed the hold.
        self.assertEqual(report.problems(refusals=100), [])

    def commands(self, node, other):
        with node.client() as client:
            self.assertEqual(client.call("MSET", "a", "1", "b", "2"), b"OK")
            self.assertEqual(other.call("MGET", "a", "b"), [b"1", b"2"])
            self.assertEqual(client.call("HSET", "h", "f", "v"), 1)
            self.assertEqual(other.call("HGETALL", "h"), [b"f", b"v"])
            self.assertEqual(client.call("PSETEX", "brief", "50", "v"), b"OK")
            big = b"b" * (1 << 20)
            self.assertEqual(client.call("SET", "big", big), b"OK")
            self.assertEqual(other.call("GET", "big"), big)
            self.assertIsInstance(client.call("HELLO", "3"), dict)
            self.assertIn(b"# Holdfast", client.call("INFO"))
            cursor, _ = client.call("SCAN", "0")
            self.assertGreater(client.call("DBSIZE"), 3)
            self.assertIsInstance(client.call("NOSUCH"), ReplyError)

    def garbage(self, node):
        for port in (node.port, node.peer_port):
            probe = cluster.connect(port)
            probe.sendall(os.urandom(3000) + b"\r\n")
            probe.close()
        self.assertTrue(node.answers())
