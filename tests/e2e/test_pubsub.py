"""Publish and subscribe, and keyspace events, across nodes."""

import shutil
import socket
import subprocess
import time

import cluster
from resp import Client, Push, ReplyError

try:
    import redis
except ImportError:  # Of Debian's python3-redis.
    redis = None

# Commands that fire events, in an order in which each has something to do.
EVENT_SCRIPT = """
SET a 1
SET a 2 EX 100
SETEX b 100 v
PSETEX b 100000 v
SETNX c v
SETNX c v
MSET d 1 e 2
GETSET d 2
APPEND d x
APPEND fresh x
INCR n
DECRBY n 3
GETEX a
GETEX a PERSIST
GETEX a PERSIST
GETEX a EX 100
GETEX a EXAT 1
GETDEL b
GETDEL b
GETEX none
GETSET was 1
SET got 1 GET EX 50
SET got 1 GET
EXPIRE c 100
PEXPIRE c 150000 GT
EXPIRE c 200 NX
PERSIST c
PERSIST c
EXPIRE c -1
EXPIRE none 10
HSET h f v g w
HSET h f v
HMSET h i j
HSETNX h i j
HSETNX h k l
HINCRBY h number 2
HDEL h nothing
HDEL h f g
HDEL h i k number
HSET h2 f v
EXPIREAT h2 1
DEL d e none
UNLINK n n
EXISTS c none
GET none
SET z 1 XX
SET z 1 NX GET
SET z 2 KEEPTTL
SADD s a b c
SADD s a
SREM s none
SREM s a
SREM s b c
SADD s a b c d e
SPOP s
SPOP s 2
SPOP s 0
SPOP s 10
SPOP none
SPOP none 2
SADD s a
SPOP s
SADD s a b
SPOP s 2
LPUSH l a b c d e f
RPUSH l x
LPUSHX l y
RPUSHX none y
LSET l 0 z
LTRIM l 0 100
LTRIM l 1 6
LTRIM l 5 1
LTRIM none 0 1
RPUSH l a b c a b
LREM l 0 a
LREM l 0 none
LREM l 0 b
LREM l 1 c
RPUSH l a b c a b
LPOP l
RPOP l 2
LPOP l 0
LPOP l 10
RPUSH l a
RPOP l
LPOP none
ZADD z 1 a 2 b
ZADD z 1 a
ZADD z XX 3 a
ZADD z XX 3 none
ZADD z INCR 3 a
ZADD z NX INCR 3 a
ZADD z INCR 0 a
ZINCRBY z 2 a
ZINCRBY z 0 a
ZADD none XX 1 a
ZREM z a none
ZREM z none
ZREM z b
ZADD z 1 a 2 b 3 c 4 d 5 e 6 f
ZPOPMIN z
ZPOPMAX z 2
ZPOPMIN z 0
ZREMRANGEBYRANK z 0 0
ZREMRANGEBYRANK z 8 9
ZREMRANGEBYSCORE z 3 3
ZREMRANGEBYLEX z - +
ZADD z 1 a
ZREMRANGEBYSCORE z -inf +inf
ZADD z 1 a
ZPOPMAX z
ZADD z 1 a 1 b
ZREMRANGEBYRANK z 0 -1
SETRANGE r 3 abc
SETRANGE r 0 ''
SETRANGE r 3 abc
SETBIT bit 3 1
SETBIT bit 3 1
SETBIT bit 3 0
SETBIT newbit 3 0
INCRBYFLOAT f 1.5
INCRBYFLOAT f 0
HINCRBYFLOAT h f 1.5
HINCRBYFLOAT h f 0
HINCRBY h g 0
APPEND r ''
APPEND new2 ''
SET {u}src v
RENAME {u}src {u}dst
RENAME {u}dst {u}dst
RENAMENX {u}dst {u}dst2
SET {u}dst3 v
RENAMENX {u}dst2 {u}dst3
RENAME {u}dst2 {u}dst3
RENAME {u}none {u}x
COPY {u}dst3 {u}c1
COPY {u}dst3 {u}c1
COPY {u}dst3 {u}c1 REPLACE
COPY {u}none {u}c2
MSETNX {u}m1 1 {u}m2 2
MSETNX {u}m1 1 {u}m3 2
DUMP {u}dst3
RESTORE r1 0 $DUMP
RESTORE r1 0 $DUMP REPLACE
RESTORE r1 1 $DUMP REPLACE ABSTTL
RESTORE r1 1 $DUMP REPLACE ABSTTL
SET ex v
EXPIRE ex 100
PEXPIREAT ex 1
GETRANGE none 0 1
GETBIT none 1
LINDEX none 0
LLEN none
SCARD none
SRANDMEMBER none
ZSCORE none a
ZCARD none
DUMP none
OBJECT ENCODING none
TYPE none
TTL none
EXISTS none
MGET none none2
STRLEN none
HGET none f
TOUCH none
LSET none 0 a
WATCH none
MULTI
SET {u}in 1
GET {u}none
SADD {u}set a b
SPOP {u}set 2
RPUSH {u}in wrong
RENAME {u}in {u}out
RENAME {u}none {u}out
MSETNX {u}m4 1 {u}m5 2
DEL {u}out {u}none
EXPIRE {u}m4 100
EXEC
MULTI
GET {u}none
EXISTS {u}none
EXEC
MULTI
SET {u}in 1
DISCARD
""".strip().splitlines()

# The same in scripts.
EVENT_SCRIPT += [
    (
        "EVAL",
        "redis.call('SET', KEYS[1], 'v') "
        "redis.call('RENAME', KEYS[1], KEYS[2]) "
        "redis.call('GET', KEYS[1]) "
        "redis.call('SADD', KEYS[1], 'a', 'b') "
        "redis.call('EXPIRE', KEYS[1], 100) "
        "return redis.call('SPOP', KEYS[1], 2)",
        "2", "{u}one", "{u}two",
    ),
    ("EVAL", "return redis.call('GET', KEYS[1])", "1", "{u}one"),
    "FLUSHALL",
    "SET last 1",
]


def subscriber(port, *channels, patterns=(), version=2):
    """A client with subscriptions, all of them confirmed."""
    client = Client(port)
    if version == 3:
        client.call("HELLO", "3")
    for words in (("SUBSCRIBE",) + channels, ("PSUBSCRIBE",) + patterns):
        if len(words) > 1:
            client.send(*words)
            for _ in words[1:]:
                client.read()
    return client


# Keys of different partitions.
RENAME_SCRIPT = """
FLUSHALL
SET old v
RENAME old new
RENAMENX new other
COPY other copied
COPY other copied
MSETNX first 1 second 2
MSETNX second 1 third 2
SET last 1
""".strip().splitlines()


def events_of(client, until):
    """Messages up to the last about the key @until, which is set."""
    ends = {
        (b"__keyspace@0__:" + until, b"set"),
        (b"__keyevent@0__:set", until),
    }
    events = []
    while not events or events[-1] not in ends:
        events.append(tuple(client.read()[-2:]))
    return events


class PubSub(cluster.SharedClusterTest):
    def clients(self):
        clients = [node.client() for node in self.nodes]
        for client in clients:
            self.addCleanup(client.close)
        return clients

    def subscriber(self, node, *channels, **options):
        client = subscriber(node.port, *channels, **options)
        self.addCleanup(client.close)
        return client

    def set_events(self, flags):
        """CONFIG SET is confirmed when all nodes know."""
        call = self.nodes[0].call
        self.assertEqual(
            call("CONFIG", "SET", "notify-keyspace-events", flags), b"OK"
        )
        self.addCleanup(
            self.nodes[0].call, "CONFIG", "SET", "notify-keyspace-events", ""
        )

    def test_a_message_reaches_subscribers_of_all_nodes(self):
        listeners = [
            self.subscriber(node, "news", patterns=("n*s",))
            for node in self.nodes
        ]
        for number, client in enumerate(self.clients()):
            text = b"from %d" % number
            self.assertEqual(client.call("PUBLISH", "news", text), 6)
            self.assertEqual(client.call("PUBLISH", "olds", text), 0)
            for listener in listeners:
                self.assertEqual(
                    listener.read(), [b"message", b"news", text]
                )
                self.assertEqual(
                    listener.read(), [b"pmessage", b"n*s", b"news", text]
                )

    def test_what_follows_a_confirmation_is_not_missed(self):
        """Even that of the first subscriber of a node, which others did not
        know to have any: a new cluster each time would be slow, so one is
        asked that had none for long enough."""
        clients = self.clients()
        for number in range(30):
            node = self.nodes[number % 3]
            listener = self.subscriber(node, "first%d" % number)
            for client in clients:
                self.assertEqual(
                    client.call("PUBLISH", "first%d" % number, "x"), 1
                )
            listener.close()

    def test_messages_of_a_publisher_come_in_order(self):
        listeners = [self.subscriber(node, "order") for node in self.nodes]
        publisher = self.nodes[1].client()
        self.addCleanup(publisher.close)
        counts = publisher.pipeline(
            [("PUBLISH", "order", str(i)) for i in range(2000)]
        )
        self.assertEqual(set(counts), {3})
        for listener in listeners:
            got = [int(listener.read()[2]) for _ in range(2000)]
            self.assertEqual(got, list(range(2000)))

    def test_pushes_do_not_disturb_replies(self):
        """A client of RESP3 that reads and is told things at once."""
        listener = self.subscriber(self.nodes[0], "noise", version=3)
        publisher = self.nodes[2].client()
        self.addCleanup(publisher.close)
        for i in range(500):
            listener.send("SET", "quiet%d" % i, "v%d" % i)
            listener.send("GET", "quiet%d" % i)
            publisher.send("PUBLISH", "noise", str(i))
        for i in range(500):
            self.assertEqual(publisher.read(), 1)
        replies, pushes = [], []
        while len(replies) < 1000 or len(pushes) < 500:
            value = listener.read()
            (pushes if isinstance(value, Push) else replies).append(value)
        wanted = []
        for i in range(500):
            wanted += [b"OK", b"v%d" % i]
        self.assertEqual(replies, wanted)
        self.assertEqual([int(p[2]) for p in pushes], list(range(500)))

    def test_a_subscription_waits_for_the_answers_before_it(self):
        client = self.nodes[1].client()
        self.addCleanup(client.close)
        for i in range(50):
            client.send("SET", "k%d" % i, "v")
        client.send("SUBSCRIBE", "after")
        client.send("GET", "k1")
        client.send("UNSUBSCRIBE")
        client.send("GET", "k1")
        self.assertEqual([client.read() for _ in range(50)], [b"OK"] * 50)
        self.assertEqual(client.read(), [b"subscribe", b"after", 1])
        with self.assertRaisesRegex(ReplyError, "Can't execute 'get'"):
            raise client.read()
        self.assertEqual(client.read(), [b"unsubscribe", b"after", 0])
        self.assertEqual(client.read(), b"v")

    def test_pubsub_tells_of_all_nodes(self):
        for number, node in enumerate(self.nodes):
            self.subscriber(
                node, "each", "own%d" % number, patterns=("p*", "q%d" % number)
            )
            shard = node.client()
            self.addCleanup(shard.close)
            self.assertEqual(
                shard.call("SSUBSCRIBE", "s"), [b"ssubscribe", b"s", 1]
            )
        for client in self.clients():
            self.assertEqual(
                sorted(client.call("PUBSUB", "CHANNELS", "*[eo]*")),
                [b"each", b"own0", b"own1", b"own2"],
            )
            self.assertEqual(
                client.call("PUBSUB", "NUMSUB", "each", "own1", "none"),
                [b"each", 3, b"own1", 1, b"none", 0],
            )
            self.assertEqual(client.call("PUBSUB", "NUMPAT"), 4)
            self.assertEqual(client.call("PUBSUB", "SHARDCHANNELS"), [b"s"])
            self.assertEqual(
                client.call("PUBSUB", "SHARDNUMSUB", "s"), [b"s", 3]
            )
            self.assertEqual(client.call("SPUBLISH", "s", "x"), 3)
            self.assertEqual(client.call("PUBLISH", "s", "x"), 0)

    def test_client_list_shows_subscribers(self):
        self.subscriber(self.nodes[0], "one", "two", patterns=("p",))
        listed = self.nodes[0].call("CLIENT", "LIST", "TYPE", "pubsub")
        self.assertRegex(listed, rb"flags=P db=0 sub=2 psub=1 ssub=0")
        listed = self.nodes[0].call("CLIENT", "LIST", "TYPE", "normal")
        self.assertNotIn(b"flags=P", listed)

    def test_an_ended_connection_is_no_subscriber(self):
        listener = self.subscriber(self.nodes[0], "gone")
        call = self.nodes[1].call
        self.assertEqual(call("PUBLISH", "gone", "x"), 1)
        listener.close()
        cluster.until(
            lambda: call("PUBLISH", "gone", "x") == 0, 5, "no subscriber"
        )
        reset = self.subscriber(self.nodes[0], "gone")
        reset.send("RESET")
        self.assertEqual(reset.read(), b"RESET")
        self.assertEqual(call("PUBLISH", "gone", "x"), 0)

    def test_a_slow_subscriber_is_dropped(self):
        node = self.nodes[0]
        slow = socket.create_connection(("127.0.0.1", node.port), 20)
        self.addCleanup(slow.close)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"SUBSCRIBE flood\r\n")
        self.assertTrue(slow.recv(100))
        publisher = self.nodes[1].client(timeout=30.0)
        self.addCleanup(publisher.close)
        text = b"x" * 1000000
        counts = []
        while len(counts) < 100 and (not counts or counts[-1] == 1):
            counts.append(publisher.call("PUBLISH", "flood", text))
            with cluster.deadline(1, "PING"):
                self.assertEqual(node.call("PING"), b"PONG")
        # Redis' limit is 32 MiB; kernels take some megabytes before that.
        self.assertGreater(len(counts), 30)
        self.assertLess(len(counts), 60)
        self.assertEqual(counts[-1], 0)
        self.assertIn(
            b"client_output_buffer_limit_disconnections:1",
            node.call("INFO", "stats"),
        )
        self.assertIn("closed a subscriber", node.log())

    def test_redis_py_as_spring_does_it(self):
        """CONFIG GET, then SET with E, g and x added, and events of del and
        expired by SUBSCRIBE."""
        if redis is None:
            self.skipTest("there is no redis-py")
        ours = redis.Redis(port=self.nodes[0].port)
        self.assertEqual(
            ours.config_get("notify-keyspace-events"),
            {"notify-keyspace-events": ""},
        )
        self.assertTrue(ours.config_set("notify-keyspace-events", "Egx"))
        self.addCleanup(ours.config_set, "notify-keyspace-events", "")
        for node in self.nodes:
            self.assertEqual(
                node.call("CONFIG", "GET", "notify*"),
                [b"notify-keyspace-events", b"gxE"],
            )
        listener = redis.Redis(port=self.nodes[1].port).pubsub()
        listener.subscribe("__keyevent@0__:del", "__keyevent@0__:expired")
        for _ in range(2):
            self.assertEqual(
                listener.get_message(timeout=5)["type"], "subscribe"
            )
        theirs = redis.Redis(port=self.nodes[2].port)
        theirs.set("spring:1", "v")
        theirs.delete("spring:1")
        self.assertEqual(
            listener.get_message(timeout=5)["data"], b"spring:1"
        )
        theirs.set("spring:2", "v", px=300)
        began = time.monotonic()
        got = listener.get_message(timeout=5)
        self.assertEqual(
            (got["channel"], got["data"]),
            (b"__keyevent@0__:expired", b"spring:2"),
        )
        self.assertLess(time.monotonic() - began, 1.3 * cluster.PATIENCE)
        listener.close()

    def test_events_come_once_from_every_node(self):
        self.set_events("KEA")
        listeners = [
            self.subscriber(node, patterns=("__key*__:*",))
            for node in self.nodes
        ]
        wanted = []
        for number, client in enumerate(self.clients()):
            for i in range(20):
                key = b"once:%d:%d" % (number, i)
                client.call("SET", key, "v")
                client.call("DEL", key)
                for name in (b"set", b"del"):
                    wanted.append((b"__keyspace@0__:" + key, name))
                    wanted.append((b"__keyevent@0__:" + name, key))
        self.nodes[0].call("SET", "end", "v")
        last = [
            (b"__keyspace@0__:end", b"set"), (b"__keyevent@0__:set", b"end")
        ]
        for listener in listeners:
            events = events_of(listener, b"end")
            # Events of different primaries may overtake each other.
            events += [
                tuple(listener.read()[-2:])
                for _ in range(len(wanted) + 2 - len(events))
            ]
            self.assertEqual(sorted(events), sorted(wanted + last))
            listener.send("PING")
            self.assertEqual(listener.read(), [b"pong", b""])

    def test_events_of_other_databases(self):
        self.set_events("Kg")
        listener = self.subscriber(
            self.nodes[2], "__keyspace@3__:k", "__keyspace@0__:k"
        )
        client = self.nodes[0].client()
        self.addCleanup(client.close)
        client.pipeline(
            [("SELECT", "3"), ("SET", "k", "v"), ("DEL", "k")]
        )
        self.assertEqual(
            listener.read(), [b"message", b"__keyspace@3__:k", b"del"]
        )

    def test_reading_a_dead_session_fires_expired(self):
        self.set_events("Ex")
        listener = self.subscriber(self.nodes[0], "__keyevent@0__:expired")
        client = self.nodes[1].client()
        self.addCleanup(client.close)
        for i in range(20):
            client.call("SET", "dying%d" % i, "v", "PX", "20")
        for i in range(20):
            while client.call("EXISTS", "dying%d" % i) == 1:
                pass
        got = {listener.read()[2] for _ in range(20)}
        self.assertEqual(got, {b"dying%d" % i for i in range(20)})

    def test_a_transaction_that_finds_a_dead_session_fires_expired(self):
        self.set_events("Ex$")
        listener = self.subscriber(
            self.nodes[0], "__keyevent@0__:expired", "__keyevent@0__:set"
        )
        client = self.nodes[1].client()
        self.addCleanup(client.close)
        for i in range(20):
            key = "{dying}%d" % i
            client.call("SET", key, "v", "PX", "20")
            self.assertEqual(listener.read()[2], key.encode())
            exists, written = 1, 0
            while exists:
                replies = client.pipeline(
                    [("MULTI",), ("SET", "{dying}", "v"), ("EXISTS", key),
                     ("EXEC",)]
                )
                exists, written = replies[-1][1], written + 1
            got = [tuple(listener.read()[1:]) for _ in range(written + 1)]
            self.assertEqual(
                sorted(got),
                [(b"__keyevent@0__:expired", key.encode())]
                + written * [(b"__keyevent@0__:set", b"{dying}")],
            )

    def test_config_refuses_what_redis_refuses(self):
        for words, error in (
            (
                "SET notify-keyspace-events xyz",
                "ERR CONFIG SET failed (possibly related to argument "
                "'notify-keyspace-events') - Invalid event class character. "
                "Use 'Ag$lshzxeKEtmdn'.",
            ),
            (
                "SET nope 1",
                "ERR Unknown option or number of arguments for CONFIG SET - "
                "'nope'",
            ),
            (
                "SET notify-keyspace-events",
                "ERR wrong number of arguments for 'config|set' command",
            ),
            ("GET", "ERR wrong number of arguments for 'config|get' command"),
            ("nope", "ERR unknown subcommand 'nope'. Try CONFIG HELP."),
        ):
            self.assertEqual(
                self.nodes[0].call("CONFIG", *words.split()),
                ReplyError(error),
            )
        self.assertEqual(self.nodes[0].call("CONFIG", "GET", "nope"), [])


class Events(cluster.ClusterTest):
    def events(self, port, flags, script):
        """What a subscriber sees of @script, as (channel, message)."""
        with Client(port) as client, subscriber(
            port, patterns=("__key*__:*",)
        ) as listener:
            self.assertEqual(
                client.call("CONFIG", "SET", "notify-keyspace-events", flags),
                b"OK",
            )
            dump = b""
            for line in script:
                words = line.split() if isinstance(line, str) else line
                words = [
                    {"''": "", "$DUMP": dump}.get(word, word)
                    for word in words
                ]
                reply = client.call(*words)
                dump = reply if words[0] == "DUMP" and reply else dump
            return events_of(listener, b"last")

    def redis_server(self):
        port = cluster.free_port()
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def ready():
            try:
                with Client(port) as client:
                    return client.call("PING") == b"PONG"
            except OSError:
                return False

        cluster.until(ready, 10, "redis-server")
        return port

    def test_the_events_of_redis(self):
        if shutil.which("redis-server") is None:
            self.skipTest("there is no redis-server")
        theirs = self.redis_server()
        for backups in (0, 1):
            node = self.cluster(1, backups=backups).nodes[0]
            for flags in ("KEA", "EAmn", "Kg$"):
                self.assertEqual(
                    self.events(node.port, flags, EVENT_SCRIPT),
                    self.events(theirs, flags, EVENT_SCRIPT),
                    flags,
                )

    def test_the_events_of_redis_from_a_cluster(self):
        """With copies, and asked at a node that mostly forwards: events of
        one session come in their order."""
        if shutil.which("redis-server") is None:
            self.skipTest("there is no redis-server")
        theirs = self.events(self.redis_server(), "KEA", EVENT_SCRIPT)
        for backups in (1, 2):
            nodes = self.cluster(3, backups=backups).nodes
            ours = self.events(nodes[1].port, "KEA", EVENT_SCRIPT)
            self.assertEqual(sorted(ours), sorted(theirs))
            keys = {channel for channel, _ in theirs if b"space" in channel}
            for key in keys:
                self.assertEqual(
                    [e for e in ours if e[0] == key],
                    [e for e in theirs if e[0] == key],
                )

    def test_the_events_of_a_rename_into_another_partition(self):
        if shutil.which("redis-server") is None:
            self.skipTest("there is no redis-server")
        theirs = self.redis_server()
        nodes = self.cluster(3).nodes
        for flags in ("KEA", "EAn"):
            wanted = self.events(theirs, flags, RENAME_SCRIPT)
            for node in nodes:
                got = self.events(node.port, flags, RENAME_SCRIPT)
                self.assertEqual(sorted(got), sorted(wanted))

    def test_nodes_that_join_learn_the_events(self):
        running = self.cluster(2, notify_keyspace_events="Kx")
        call = running.nodes[0].call
        wanted = [b"notify-keyspace-events", b"xK"]
        for node in running.nodes:
            self.assertEqual(node.call("CONFIG", "GET", "notify*"), wanted)
        call("CONFIG", "SET", "notify-keyspace-events", "Eg")
        late = running.add(notify_keyspace_events="KEA")
        late.start()
        running.wait_settled(3)
        self.assertEqual(
            late.call("CONFIG", "GET", "notify*"),
            [b"notify-keyspace-events", b"gE"],
        )

    def test_subscribers_of_a_dead_node_go_elsewhere(self):
        running = self.cluster(3)
        listener = subscriber(running.nodes[0].port, "news")
        self.assertEqual(running.nodes[1].call("PUBLISH", "news", "1"), 1)
        running.nodes[0].kill()
        began = time.monotonic()
        count = running.nodes[1].call("PUBLISH", "news", "lost")
        self.assertLess(time.monotonic() - began, 1 * cluster.PATIENCE)
        self.assertEqual(count, 0)
        self.assertEqual(listener.read(), [b"message", b"news", b"1"])
        self.assertTrue(listener.at_end())
        listener.close()
        with subscriber(running.nodes[2].port, "news") as again:
            self.assertEqual(running.nodes[1].call("PUBLISH", "news", "2"), 1)
            self.assertEqual(again.read(), [b"message", b"news", b"2"])

    def test_a_paused_node_holds_up_publishers_shortly(self):
        running = self.cluster(3)
        with subscriber(running.nodes[0].port, "news") as listener:
            running.nodes[0].pause()
            with cluster.deadline(2, "PUBLISH"):
                running.nodes[1].call("PUBLISH", "news", "kept")
            running.nodes[0].resume()
            self.assertEqual(listener.read(), [b"message", b"news", b"kept"])
