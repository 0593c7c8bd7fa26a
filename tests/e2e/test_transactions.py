"""MULTI, EXEC and WATCH, as Redis clients use them, on keys of any nodes."""

import threading
import time
import unittest

try:
    import redis
except ImportError:
    redis = None

import cluster
from resp import ReplyError, encode

ABORT = ReplyError(
    "EXECABORT Transaction discarded because of previous errors."
)
NOT_INTEGER = ReplyError("ERR value is not an integer or out of range")
QUEUED = b"QUEUED"


def library(node):
    return redis.Redis(
        host="127.0.0.1", port=node.port, socket_timeout=10
    )


class Transactions(cluster.SharedClusterTest):
    def setUp(self):
        self.clients = [node.client() for node in self.nodes]
        self.assertEqual(self.clients[0].call("FLUSHALL"), b"OK")

    def tearDown(self):
        for client in self.clients:
            client.close()

    def exec(self, client, *lines):
        self.assertEqual(client.call("MULTI"), b"OK")
        for line in lines:
            self.assertEqual(client.call(*line.split()), QUEUED, line)
        return client.call("EXEC")

    def test_one_partition(self):
        for n, client in enumerate(self.clients):
            key = "{t%d}" % n
            self.assertEqual(
                self.exec(
                    client,
                    "SET %sa 5" % key,
                    "PEXPIREAT %sa 99999999999999" % key,
                    "INCR %sa" % key,
                    "HSET %sh f v" % key,
                    "INCR %sh" % key,
                    "HGETALL %sh" % key,
                    "PING",
                    "MGET %sa %snone" % (key, key),
                ),
                [
                    b"OK",
                    1,
                    6,
                    1,
                    ReplyError(
                        "WRONGTYPE Operation against a key holding the wrong"
                        " kind of value"
                    ),
                    [b"f", b"v"],
                    b"PONG",
                    [b"6", None],
                ],
            )
            for other in self.clients:
                self.assertEqual(other.call("GET", key + "a"), b"6")

    def test_keys_of_different_partitions(self):
        for n, client in enumerate(self.clients):
            old, new = "rn%d" % n, "other%d" % n
            got = client.pipeline(
                [
                    ["SET", old, "1"],
                    ["RENAME", old, new],
                    ["GET", new],
                    ["RENAME", old, new],
                    ["COPY", new, old],
                    ["APPEND", old, "2"],
                    ["RENAMENX", old, new],
                    ["MSETNX", old, "x", "third%d" % n, "y"],
                    ["DEL", old],
                    ["MSETNX", old, "x", "third%d" % n, "y"],
                    ["MGET", old, new, "third%d" % n],
                ]
            )
            missing = ReplyError("ERR no such key")
            self.assertEqual(
                got,
                [b"OK", b"OK", b"1", missing, 1, 2, 0, 0, 1, 1]
                + [[b"x", b"1", b"y"]],
            )
            self.assertEqual(
                self.exec(
                    client,
                    "SET %s in" % old,
                    "RENAME %s %s" % (old, new),
                    "GET %s" % new,
                    "EXISTS %s" % old,
                ),
                [b"OK", b"OK", b"in", 0],
            )

    def test_many_partitions(self):
        keys = ["k%d" % i for i in range(40)]
        for client in self.clients:
            lines = ["SET %s %d" % (k, i) for i, k in enumerate(keys)]
            got = self.exec(
                client,
                *lines,
                "MGET " + " ".join(keys + ["none"]),
                "DBSIZE",
                "DEL " + " ".join(keys[:30]),
                "EXISTS " + " ".join(keys),
                "MSET x 1 y 2 z 3",
                "FLUSHALL",
                "DBSIZE",
                "SET after 1",
            )
            values = [b"%d" % i for i in range(40)]
            self.assertEqual(
                got,
                [b"OK"] * 40
                + [values + [None], 40, 30, 10, b"OK", b"OK", 0, b"OK"],
            )
            self.assertEqual(client.call("FLUSHALL"), b"OK")

    def test_errors(self):
        client = self.clients[0]
        self.assertEqual(
            client.call("EXEC"), ReplyError("ERR EXEC without MULTI")
        )
        self.assertEqual(
            client.call("DISCARD"), ReplyError("ERR DISCARD without MULTI")
        )
        self.assertEqual(self.exec(client), [])
        client.call("MULTI")
        self.assertEqual(
            client.call("MULTI"),
            ReplyError("ERR MULTI calls can not be nested"),
        )
        self.assertEqual(
            client.call("WATCH", "a"),
            ReplyError("ERR WATCH inside MULTI is not allowed"),
        )
        self.assertEqual(client.call("EXEC"), [])
        for bad in (("NOSUCH", "x"), ("GET",), ("SET", "k" * 9000, "v")):
            client.call("MULTI")
            client.call("SET", "a", "1")
            self.assertIsInstance(client.call(*bad), ReplyError)
            self.assertEqual(client.call("EXEC"), ABORT)
            self.assertIsNone(client.call("GET", "a"))
        client.call("MULTI")
        client.call("SET", "a", "1")
        self.assertEqual(client.call("DISCARD"), b"OK")
        self.assertIsNone(client.call("GET", "a"))
        client.call("MULTI")
        self.assertIsInstance(client.call("EXEC", "x"), ReplyError)
        self.assertEqual(client.call("EXEC"), ABORT)
        self.assertIsInstance(client.call("EXEC", "k", "\0\0\0\0"), ReplyError)

    def test_select_counts_for_what_follows(self):
        client = self.clients[1]
        self.assertEqual(
            self.exec(
                client, "SET d 0", "SELECT 3", "SET d 3", "DBSIZE", "GET d"
            ),
            [b"OK", b"OK", b"OK", 1, b"3"],
        )
        self.assertEqual(client.call("GET", "d"), b"3")
        client.call("MULTI")
        client.call("SELECT", "0")
        client.call("DISCARD")
        self.assertEqual(client.call("GET", "d"), b"3")
        client.call("SELECT", "0")
        self.assertEqual(client.call("GET", "d"), b"0")

    def test_a_bound_on_what_is_queued(self):
        client = self.clients[0]
        client.call("MULTI")
        value = b"v" * (8 << 20)
        replies = [client.call("SET", "a", value) for _ in range(4)]
        self.assertEqual(replies[:3], [QUEUED] * 3)
        self.assertIn("25 MiB", str(replies[3]))
        self.assertEqual(client.call("EXEC"), ABORT)
        self.assertIsNone(client.call("GET", "a"))

    def test_what_cannot_be_queued_ends_it(self):
        client = self.clients[0]
        for line in ("OBJECT HELP", "OBJECT nope a", "PUBSUB nope"):
            client.call("MULTI")
            client.call("SET", "a", "1")
            self.assertNotEqual(client.call(*line.split()), QUEUED)
            self.assertEqual(client.call("EXEC"), ABORT, line)
        self.assertIsNone(client.call("GET", "a"))

    def test_a_large_one_over_all_partitions(self):
        """The work is that of its commands, not times that of its parts."""
        client = self.clients[0]
        client.call("MULTI")
        count = 20000
        words = [encode("SET", "large%d" % i, "v") for i in range(count)]
        client.socket.sendall(b"".join(words))
        for _ in range(count):
            self.assertEqual(client.read(), QUEUED)
        with cluster.deadline(2, "EXEC of %d commands" % count):
            self.assertEqual(client.call("EXEC"), [b"OK"] * count)
        self.assertEqual(client.call("DBSIZE"), count)

    def test_all_of_it_in_one_go(self):
        client = self.clients[2]
        script = [
            ("WATCH", "p"),
            ("SET", "q", "1"),
            ("MULTI",),
            ("INCR", "p"),
            ("INCR", "q"),
            ("EXEC",),
            ("GET", "q"),
            ("WATCH", "p"),
            ("INCR", "p"),
            ("MULTI",),
            ("SET", "p", "x"),
            ("EXEC",),
            ("GET", "p"),
        ]
        client.send_raw(b"".join(encode(*words) for words in script))
        got = [client.read() for _ in script]
        self.assertEqual(
            got,
            [b"OK", b"OK", b"OK", QUEUED, QUEUED, [1, 2], b"2", b"OK", 2]
            + [b"OK", QUEUED, None, b"2"],
        )

    def test_watch_over_partitions(self):
        one, other = self.clients[:2]
        for changes in (False, True):
            for watched in ("w1", "w2", "w3"):
                self.assertEqual(one.call("WATCH", "w1", "w2", "w3"), b"OK")
                if changes:
                    other.call("SET", watched, "v")
                got = self.exec(one, "SET x 1", "SET y 1")
                self.assertEqual(got, None if changes else [b"OK", b"OK"])
        one.call("WATCH", "w1")
        other.call("SET", "w1", "u")
        self.assertEqual(one.call("UNWATCH"), b"OK")
        self.assertEqual(self.exec(one, "GET w1"), [b"u"])

    @unittest.skipIf(redis is None, "python3-redis is not installed")
    def test_library_counts_with_watch(self):
        """Clients of all nodes increment one key by WATCH alone."""
        counts = []

        def count(node):
            client = library(node)
            for _ in range(15):
                client.transaction(self.add_one, "watched")
            counts.append(15)

        threads = [
            threading.Thread(target=count, args=(node,))
            for node in self.nodes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(
            self.clients[0].call("GET", "watched"), b"%d" % sum(counts)
        )

    @staticmethod
    def add_one(pipe):
        value = int(pipe.get("watched") or 0)
        pipe.multi()
        pipe.set("watched", value + 1)

    def test_rename_and_its_like(self):
        for client in self.clients:
            client.call("FLUSHALL")
            client.call("SET", "{r}a", "v", "PX", "90000")
            self.assertEqual(client.call("RENAME", "{r}a", "{r}b"), b"OK")
            self.assertIsNone(client.call("GET", "{r}a"))
            self.assertEqual(client.call("GET", "{r}b"), b"v")
            self.assertGreater(client.call("PTTL", "{r}b"), 80000)
            self.assertEqual(
                client.call("RENAME", "{r}a", "{r}b"),
                ReplyError("ERR no such key"),
            )
            self.assertEqual(client.call("COPY", "{r}b", "{r}c"), 1)
            self.assertEqual(client.call("COPY", "{r}b", "{r}c"), 0)
            self.assertEqual(client.call("RENAMENX", "{r}b", "{r}c"), 0)
            self.assertEqual(client.call("RENAMENX", "{r}b", "{r}d"), 1)
            self.assertEqual(
                client.call("MSETNX", "{r}d", "1", "{r}e", "2"), 0
            )
            self.assertIsNone(client.call("GET", "{r}e"))
            self.assertEqual(
                client.call("MSETNX", "{r}f", "1", "{r}e", "2"), 1
            )


@unittest.skipIf(redis is None, "python3-redis is not installed")
class Deaths(cluster.ClusterTest):
    def test_a_node_dies_among_transactions(self):
        """Each unit increments two keys: at no moment, before the death of
        their primary or after, do they differ."""
        world = self.cluster(3, backups=1)
        world.wait_settled()
        client = library(world.nodes[0])
        stop = threading.Event()
        torn = []

        def look():
            reader = library(world.nodes[1])
            while not stop.is_set():
                pipe = reader.pipeline(transaction=True)
                for i in range(20):
                    pipe.mget("{u%d}a" % i, "{u%d}b" % i)
                try:
                    replies = pipe.execute(raise_on_error=False)
                except redis.RedisError:
                    continue
                for reply in replies:
                    if isinstance(reply, list) and reply[0] != reply[1]:
                        torn.append(reply)

        thread = threading.Thread(target=look)
        thread.start()
        done = [0] * 20
        unknown = [0] * 20
        for turn in range(60):
            if turn == 20:
                world.nodes[2].kill()
            for i in range(20):
                pipe = client.pipeline(transaction=True)
                pipe.incr("{u%d}a" % i)
                pipe.incr("{u%d}b" % i)
                try:
                    first, second = pipe.execute()
                    self.assertEqual(first, second)
                    done[i] += 1
                except redis.RedisError:
                    unknown[i] += 1
            time.sleep(0.01)
        stop.set()
        thread.join()
        self.assertEqual(torn, [])
        for i in range(20):
            a = int(client.get("{u%d}a" % i))
            self.assertEqual(int(client.get("{u%d}b" % i)), a)
            self.assertGreaterEqual(a, done[i])
            self.assertLessEqual(a, done[i] + unknown[i])

    def test_session_ids_change_while_a_node_dies(self):
        """As Spring Session does at a login, through any node: every session
        is under one id, or under both where the answer was an error, and never
        gone."""
        world = self.cluster(3, backups=1)
        world.wait_settled()
        client = library(world.nodes[0])
        names = ["spring:session:sessions:%d" % i for i in range(400)]
        for name in names:
            client.hset(name, mapping={"attr": name, "n": "1"})
            client.expire(name, 1800)
        answered = set()
        for i, name in enumerate(names):
            if i == 150:
                world.nodes[2].kill()
            try:
                self.assertTrue(client.rename(name, name + ":new"))
                answered.add(name)
            except redis.ResponseError as error:
                self.assertIn("CLUSTERDOWN", str(error))
        world.wait_settled(members=2, nodes=world.nodes[:2])
        twice = 0
        for name in names:
            found = [
                key
                for key in (name, name + ":new")
                if client.hget(key, "attr") == name.encode()
            ]
            self.assertTrue(found, "%s is lost" % name)
            if name in answered:
                self.assertEqual(found, [name + ":new"])
            self.assertGreater(client.ttl(found[-1]), 1700)
            twice += len(found) == 2
        self.assertLessEqual(twice, len(names) - len(answered))
        self.assertGreater(len(answered), 390)
