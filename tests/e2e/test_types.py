"""Sets, sorted sets and lists, from every node and past the death of one."""

import signal

import cluster
from resp import ReplyError


class Types(cluster.ClusterTest):
    def fill(self, clients, runs):
        """One of each type per run, asked of nodes in turn."""
        for run in range(runs):
            call = clients[run % len(clients)].call
            members = ["m%d" % i for i in range(20)]
            self.assertEqual(call("SADD", "set:%d" % run, *members), 20)
            self.assertEqual(call("SREM", "set:%d" % run, "m3", "m7"), 2)
            for i in range(0, 20, 5):
                scored = [w for m in members[i:i + 5] for w in (i, m)]
                self.assertEqual(call("ZADD", "sorted:%d" % run, *scored), 5)
            self.assertEqual(call("RPUSH", "list:%d" % run, *members), 20)
            self.assertEqual(call("LPOP", "list:%d" % run), b"m0")
            self.assertEqual(call("LREM", "list:%d" % run, 0, "m9"), 1)

    def check(self, clients, runs):
        """What every node says of them is the same, to the last byte."""
        for run in range(runs):
            for client in clients:
                call = client.call
                members = call("SMEMBERS", "set:%d" % run)
                self.assertEqual(len(members), 18)
                self.assertEqual(
                    members, clients[0].call("SMEMBERS", "set:%d" % run)
                )
                self.assertEqual(
                    call("ZRANGE", "sorted:%d" % run, "(5", "10", "BYSCORE"),
                    [b"m10", b"m11", b"m12", b"m13", b"m14"],
                )
                self.assertEqual(call("ZRANK", "sorted:%d" % run, "m19"), 19)
                self.assertEqual(
                    call("LRANGE", "list:%d" % run, 0, -1),
                    [b"m%d" % i for i in range(1, 20) if i != 9],
                )

    def test_any_node_and_after_a_kill(self):
        c = self.cluster(3)
        clients = [node.client() for node in c.nodes]
        self.fill(clients, 30)
        self.check(clients, 30)
        clients.pop().close()
        c.nodes[2].signal(signal.SIGKILL)
        c.nodes[2].kill()
        c.wait_settled(2)
        self.check(clients, 30)
        for client in clients:
            client.close()

    def test_a_large_one_moves_to_a_node_that_joins(self):
        c = self.cluster(1)
        client = c.nodes[0].client()
        for i in range(0, 30000, 1000):
            self.assertEqual(
                client.call("SADD", "index", *range(i, i + 1000)), 1000
            )
        before = client.call("SMEMBERS", "index")
        self.assertEqual(client.call("SADD", "index", "7"), 0)
        c.add().start()
        c.wait_settled(2)
        other = c.nodes[1].client()
        self.assertEqual(other.call("SMEMBERS", "index"), before)
        self.assertEqual(
            other.call("LPUSH", "index", "x"),
            ReplyError(
                "WRONGTYPE Operation against a key holding the wrong kind "
                "of value"
            ),
        )
        client.close()
        other.close()
