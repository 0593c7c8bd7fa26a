"""Every command, from every node, as Redis clients send it."""

import subprocess
import time

import cluster
from resp import Client, Push, ReplyError, encode

WRONG_TYPE = ReplyError(
    "WRONGTYPE Operation against a key holding the wrong kind of value"
)
NOT_INTEGER = ReplyError("ERR value is not an integer or out of range")
SYNTAX = ReplyError("ERR syntax error")


def wrong_count(name):
    return ReplyError(
        "ERR wrong number of arguments for '%s' command" % name
    )


class Commands(cluster.SharedClusterTest):
    def setUp(self):
        self.clients = [node.client() for node in self.nodes]
        self.assertEqual(self.clients[0].call("FLUSHALL"), b"OK")

    def tearDown(self):
        for client in self.clients:
            client.close()

    def expect(self, script):
        """Runs (command, reply) pairs, each whole script once per node that
        takes the commands; {n} in a key keeps the runs apart."""
        for number, client in enumerate(self.clients):
            for words, wanted in script:
                words = [w.replace("{n}", str(number)) for w in words.split()]
                words = [b"" if word == '""' else word for word in words]
                got = client.call(*words)
                self.assertEqual(
                    got, wanted, "%s at node %d" % (words, number + 1)
                )

    def test_connection_commands(self):
        self.expect(
            [
                ("PING", b"PONG"),
                ("PING hello", b"hello"),
                ("ping", b"PONG"),
                ("ECHO text", b"text"),
                ("SELECT 0", b"OK"),
                ("CLIENT SETNAME web", b"OK"),
                ("CLIENT GETNAME", b"web"),
                ("CLIENT SETINFO LIB-NAME test", b"OK"),
                ("CLIENT SETINFO LIB-VER 1.0", b"OK"),
            ]
        )
        client = self.clients[0]
        self.assertIsInstance(client.call("CLIENT", "ID"), int)
        self.assertIn(b"name=web", client.call("CLIENT", "INFO"))
        self.assertIn(b"name=web", client.call("CLIENT", "LIST"))
        refused = client.call("SELECT", "16")
        self.assertIsInstance(refused, ReplyError)
        refused = client.call("AUTH", "secret")
        self.assertIn("without any password", str(refused))
        refused = client.call("CLIENT", "NOSUCH")
        self.assertIn("unknown subcommand", str(refused).lower())
        self.assertIsInstance(client.call("COMMAND", "COUNT"), int)
        self.assertIsInstance(client.call("COMMAND"), list)
        self.assertIsInstance(client.call("COMMAND", "INFO", "get"), list)
        self.assertIsInstance(client.call("COMMAND", "DOCS"), list)

    def test_quit_answers_and_closes(self):
        with self.nodes[0].client() as client:
            self.assertEqual(client.call("QUIT"), b"OK")
            self.assertTrue(client.at_end())

    def test_strings(self):
        self.expect(
            [
                ("GET s{n}", None),
                ("SET s{n} one", b"OK"),
                ("GET s{n}", b"one"),
                ("SET s{n} two NX", None),
                ("SET s{n} two XX GET", b"one"),
                ("SET s{n} three GET", b"two"),
                ("SET other{n} x XX", None),
                ("SETNX s{n} four", 0),
                ("SETNX new{n} four", 1),
                ("STRLEN s{n}", 5),
                ("STRLEN none{n}", 0),
                ("APPEND s{n} !", 6),
                ("APPEND empty{n} \"\"", 0),
                ("EXISTS empty{n} s{n} s{n} none{n}", 3),
                ("GETDEL s{n}", b"three!"),
                ("GETDEL s{n}", None),
                ("TYPE new{n}", b"string"),
                ("TYPE none{n}", b"none"),
                ("DEL new{n} empty{n} none{n}", 2),
                ("UNLINK new{n}", 0),
            ]
        )

    def test_expiry_of_strings(self):
        self.expect(
            [
                ("SET t{n} v EX 100", b"OK"),
                ("TTL t{n}", 100),
                ("SET t{n} w KEEPTTL", b"OK"),
                ("TTL t{n}", 100),
                ("SET t{n} w", b"OK"),
                ("TTL t{n}", -1),
                ("PTTL t{n}", -1),
                ("TTL none{n}", -2),
                ("PTTL none{n}", -2),
                ("SETEX t{n} 200 v", b"OK"),
                ("TTL t{n}", 200),
                ("PSETEX t{n} 300000 v", b"OK"),
                ("TTL t{n}", 300),
                ("GETEX t{n} EX 400", b"v"),
                ("TTL t{n}", 400),
                ("GETEX t{n} PERSIST", b"v"),
                ("TTL t{n}", -1),
                ("EXPIRE t{n} 50", 1),
                ("EXPIRE t{n} 60 NX", 0),
                ("EXPIRE t{n} 40 GT", 0),
                ("EXPIRE t{n} 40 LT", 1),
                ("PEXPIRE t{n} 70000 XX", 1),
                ("TTL t{n}", 70),
                ("PERSIST t{n}", 1),
                ("PERSIST t{n}", 0),
                ("EXPIRE t{n} 10 GT", 0),
                ("EXPIRE none{n} 10", 0),
                ("EXPIREAT t{n} 4000000000", 1),
                ("PEXPIREAT t{n} 4000000000000", 1),
                ("EXPIRE t{n} -1", 1),
                ("EXISTS t{n}", 0),
                ("SET t{n} v NX PX 100000", b"OK"),
                ("SET t{n} v EXAT 4000000000 XX", b"OK"),
                ("SET t{n} v PXAT 1", b"OK"),
                ("GET t{n}", None),
            ]
        )

    def test_hashes(self):
        self.expect(
            [
                ("HSET h{n} a 1 b 2", 2),
                ("HSET h{n} a 3 c 4", 1),
                ("HGET h{n} a", b"3"),
                ("HGET h{n} z", None),
                ("HMSET h{n} d 5", b"OK"),
                ("HMGET h{n} a z d", [b"3", None, b"5"]),
                ("HLEN h{n}", 4),
                ("HEXISTS h{n} a", 1),
                ("HEXISTS h{n} z", 0),
                ("HINCRBY h{n} a 7", 10),
                ("HSET h{n} word w", 1),
                (
                    "HINCRBY h{n} word 1",
                    ReplyError("ERR hash value is not an integer"),
                ),
                ("HDEL h{n} b c d word z", 4),
                ("HGETALL h{n}", [b"a", b"10"]),
                ("HKEYS h{n}", [b"a"]),
                ("HVALS h{n}", [b"10"]),
                ("TYPE h{n}", b"hash"),
                ("EXPIRE h{n} 100", 1),
                ("HSET h{n} x y", 1),
                ("TTL h{n}", 100),
                ("HDEL h{n} a x", 2),
                ("EXISTS h{n}", 0),
                ("HGETALL h{n}", []),
            ]
        )

    def test_numbers(self):
        self.expect(
            [
                ("INCR i{n}", 1),
                ("INCRBY i{n} 41", 42),
                ("DECR i{n}", 41),
                ("DECRBY i{n} 1", 40),
                ("GET i{n}", b"40"),
                ("EXPIRE i{n} 100", 1),
                ("INCR i{n}", 41),
                ("TTL i{n}", 100),
                ("SET i{n} word", b"OK"),
                ("INCR i{n}", NOT_INTEGER),
                ("SET i{n} 9223372036854775807", b"OK"),
                (
                    "INCR i{n}",
                    ReplyError("ERR increment or decrement would overflow"),
                ),
            ]
        )

    def test_many_keys_span_owners(self):
        keys = ["many%d" % number for number in range(300)]
        pairs = [word for key in keys for word in (key, "v" + key)]
        values = [("v" + key).encode() for key in keys]
        for client in self.clients:
            self.assertEqual(client.call("MSET", *pairs), b"OK")
            self.assertEqual(client.call("MGET", *keys, "no"), values + [None])
            self.assertEqual(client.call("EXISTS", *keys, "no"), 300)
            self.assertEqual(client.call("DBSIZE"), 300)
            self.assertEqual(client.call("DEL", *keys, "no"), 300)
            self.assertEqual(client.call("DBSIZE"), 0)
        self.assertEqual(self.clients[0].call("HSET", "hash", "f", "v"), 1)
        self.assertEqual(self.clients[1].call("MGET", "hash", "a"), [None] * 2)

    def test_scan_sees_the_whole_cluster(self):
        wanted = set()
        for number in range(500):
            key = b"scan:%d" % number
            wanted.add(key)
            self.clients[number % 3].send("SET", key, "v")
        self.clients[0].send("HSET", "hash:1", "f", "v")
        for number in range(500):
            self.assertEqual(self.clients[number % 3].read(), b"OK")
        self.assertEqual(self.clients[0].read(), 1)
        for client in self.clients:
            keys = self.scan(client, "MATCH", "scan:*", "COUNT", "50")
            self.assertEqual(sorted(keys), sorted(wanted))
            self.assertEqual(len(self.scan(client)), 501)
            self.assertEqual(self.scan(client, "TYPE", "hash"), [b"hash:1"])
            self.assertEqual(self.scan(client, "MATCH", "nothing*"), [])

    def test_what_the_server_says_of_itself(self):
        for client in self.clients:
            seconds, micros = client.call("TIME")
            self.assertLess(abs(int(seconds) - time.time()), 5)
            self.assertLess(int(micros), 1000000)
            role, offset, replicas = client.call("ROLE")
            self.assertEqual((role, replicas), (b"master", []))
            self.assertGreaterEqual(offset, 0)
            self.assertEqual(client.call("SET", "k", "v"), b"OK")
            self.assertEqual(client.call("WAIT", "1", "1000"), 1)
            for command in ("READONLY", "READWRITE", "ASKING"):
                self.assertEqual(client.call(command), b"OK")
            self.assertEqual(client.call("CLIENT", "CAPA", "redirect"), b"OK")
            self.assertGreater(client.call("MEMORY", "USAGE", "k"), 30)

    def test_clients_that_keep_what_they_read_are_told_to_forget_it(self):
        """As rueidis reads: in a transaction, after CLIENT CACHING YES."""
        for client in self.clients:
            self.assertIsInstance(client.call("HELLO", "3"), dict)
            said = client.pipeline(
                [
                    ["CLIENT", "TRACKING", "ON", "OPTIN"],
                    ["SET", "k", "v", "PX", "100000"],
                    ["CLIENT", "CACHING", "YES"],
                    ["MULTI"],
                    ["PTTL", "k"],
                    ["GET", "k"],
                    ["EXEC"],
                ]
            )
            self.assertEqual(said[:3], [b"OK"] * 3)
            self.assertEqual(said[6][1], b"v")
            self.assertEqual(client.read(), Push([b"invalidate", None]))
            said = client.pipeline([["CLIENT", "CACHING", "YES"], ["GET", "k"]])
            self.assertEqual(said, [b"OK", b"v"])
            self.assertEqual(client.read(), Push([b"invalidate", [b"k"]]))
            self.assertEqual(client.call("GET", "k"), b"v")
            self.assertEqual(client.call("PING"), b"PONG")

    def test_clients_are_listed_and_closed(self):
        one = self.nodes[0].client()
        two = self.nodes[0].client()
        number = two.call("CLIENT", "ID")
        line = one.call("CLIENT", "LIST", "ID", number).decode()
        self.assertRegex(line, "^id=%d addr=127.0.0.1:[0-9]+ " % number)
        self.assertEqual(one.call("CLIENT", "KILL", "ID", number), 1)
        self.assertTrue(two.at_end())
        self.assertEqual(one.call("CLIENT", "KILL", "ID", number), 0)
        subscriber = self.nodes[0].client()
        subscriber.call("SUBSCRIBE", "c")
        self.assertEqual(one.call("CLIENT", "KILL", "TYPE", "pubsub"), 1)
        self.assertTrue(subscriber.at_end())
        self.assertEqual(one.call("PUBSUB", "NUMSUB", "c"), [b"c", 0])
        two = self.nodes[0].client()
        address = "%s:%d" % two.socket.getsockname()
        self.assertEqual(one.call("CLIENT", "KILL", address), b"OK")
        self.assertTrue(two.at_end())
        own = one.call("CLIENT", "ID")
        self.assertEqual(
            one.call("CLIENT", "KILL", "ID", own, "SKIPME", "NO"), 1
        )
        self.assertTrue(one.at_end())

    def test_who_wants_no_answers_gets_none(self):
        for number, client in enumerate(self.clients):
            key = "silent:%d" % number
            client.send("CLIENT", "REPLY", "OFF")
            for _ in range(100):
                client.send("INCR", key)
            client.send("CLIENT", "REPLY", "ON")
            self.assertEqual(client.read(), b"OK")
            self.assertEqual(client.call("GET", key), b"100")
            client.send("CLIENT", "REPLY", "SKIP")
            client.send("INCR", key)
            self.assertEqual(client.call("INCR", key), 102)

    def test_dump_and_restore(self):
        one, two, three = self.clients
        self.assertEqual(one.call("HSET", "h", "f", "v", "g", "w"), 2)
        for number, client in enumerate(self.clients):
            dump = client.call("DUMP", "h")
            key = "copy:%d" % number
            self.assertEqual(two.call("RESTORE", key, "5000", dump), b"OK")
            self.assertEqual(
                three.call("HGETALL", key), [b"f", b"v", b"g", b"w"]
            )
            self.assertGreater(one.call("PTTL", key), 0)
            soon = int(time.time() * 1000) + 60000
            self.assertEqual(
                one.call("RESTORE", key, soon, dump, "REPLACE", "ABSTTL"),
                b"OK",
            )
            self.assertLess(30, two.call("TTL", key))
            self.assertEqual(
                one.call("RESTORE", key, "1", dump, "REPLACE", "ABSTTL"),
                b"OK",
            )
            self.assertEqual(two.call("EXISTS", key), 0)

    def test_compare_and_set(self):
        """Ten clients add one to a number that they read: no sum is lost."""
        self.assertEqual(self.clients[0].call("SET", "sum", "0"), b"OK")

        def add(number):
            with self.nodes[number % 3].client() as client:
                for _ in range(20):
                    while True:
                        old = client.call("GET", "sum")
                        new = b"%d" % (int(old) + 1)
                        done = client.call("SET", "sum", new, "IFEQ", old)
                        if done == b"OK":
                            break
                        self.assertIsNone(done)

        cluster.in_threads(
            [lambda number=number: add(number) for number in range(10)]
        )
        for client in self.clients:
            self.assertEqual(client.call("GET", "sum"), b"200")
            digest = client.call("DIGEST", "sum")
            self.assertEqual(client.call("DELEX", "sum", "IFDNE", digest), 0)
        self.assertEqual(self.clients[1].call("DELIFEQ", "sum", "200"), 1)

    def test_keys_and_randomkey_see_the_whole_cluster(self):
        for client in self.clients:
            self.assertEqual(client.call("KEYS", "*"), [])
            self.assertIsNone(client.call("RANDOMKEY"))
        wanted = [b"keys:%d" % number for number in range(3000)]
        for number, key in enumerate(wanted):
            self.clients[number % 3].send("SET", key, "v")
        for number in range(3000):
            self.assertEqual(self.clients[number % 3].read(), b"OK")
        for client in self.clients:
            self.assertEqual(sorted(client.call("KEYS", "*")), sorted(wanted))
            self.assertEqual(client.call("KEYS", "keys:77"), [b"keys:77"])
            self.assertEqual(len(client.call("KEYS", "keys:29[0-9][0-9]")), 100)
            self.assertEqual(client.call("KEYS", ""), [])
            seen = {client.call("RANDOMKEY") for _ in range(200)}
            self.assertLess(seen, set(wanted))
            self.assertGreater(len(seen), 100)
            self.assertEqual(client.call("SELECT", "2"), b"OK")
            self.assertIsNone(client.call("RANDOMKEY"))
            self.assertEqual(client.call("KEYS", "*"), [])
            self.assertEqual(client.call("SET", "lonely", "v"), b"OK")
            self.assertEqual(client.call("RANDOMKEY"), b"lonely")
            self.assertEqual(client.call("KEYS", "*"), [b"lonely"])
            self.assertEqual(client.call("DEL", "lonely"), 1)
            self.assertEqual(client.call("SELECT", "0"), b"OK")

    def test_databases_are_apart(self):
        """The same names in every database, set through any node."""
        for number in range(48):
            client = self.clients[number % 3]
            database = number // 3
            self.assertEqual(client.call("SELECT", str(database)), b"OK")
            for key in (b"k", b"", b"\x00", b"\x01k"):
                key += b"" if key == b"" else b"%d" % (number % 3)
                value = b"%d" % database
                self.assertEqual(client.call("SET", key, value), b"OK")
        for client in self.clients:
            for database in range(16):
                value = b"%d" % database
                keys = [b"", *(k + n for k in (b"k", b"\x00", b"\x01k")
                               for n in (b"0", b"1", b"2"))]
                self.assertEqual(client.call("SELECT", value), b"OK")
                self.assertEqual(client.call("MGET", *keys), [value] * 10)
                self.assertEqual(client.call("EXISTS", *keys), 10)
                self.assertEqual(client.call("DBSIZE"), 10)
                self.assertEqual(sorted(self.scan(client)), sorted(keys))
                self.assertEqual(
                    sorted(self.scan(client, "MATCH", "k*")),
                    [b"k0", b"k1", b"k2"],
                )
            self.assertIn(b" db=15 ", client.call("CLIENT", "INFO"))
        self.wait_for_keyspace([10] * 16)

        one, other = self.clients[:2]
        self.assertEqual(one.call("SELECT", "3"), b"OK")
        self.assertEqual(one.call("FLUSHDB"), b"OK")
        self.assertEqual(one.call("DBSIZE"), 0)
        self.assertEqual(self.scan(one), [])
        self.assertEqual(other.call("SELECT", "4"), b"OK")
        self.assertEqual(other.call("DBSIZE"), 10)
        self.assertEqual(other.call("GET", "k0"), b"4")
        self.wait_for_keyspace([10] * 3 + [0] + [10] * 12)
        self.assertEqual(one.call("FLUSHALL"), b"OK")
        self.assertEqual(other.call("DBSIZE"), 0)
        self.wait_for_keyspace([0] * 16)
        self.assertEqual(one.call("RESET"), b"RESET")
        self.assertIn(b" db=0 ", one.call("CLIENT", "INFO"))

    def wait_for_keyspace(self, wanted):
        """INFO of every node says this in the end: nodes hear of others ten
        times a second."""
        wanted = "".join(
            "db%d:keys=%d,expires=0,avg_ttl=0\r\n" % (number, count)
            for number, count in enumerate(wanted)
            if count > 0
        )
        for client in self.clients:
            deadline = time.monotonic() + 10
            while True:
                got = client.call("INFO", "keyspace").decode()
                if got == "# Keyspace\r\n" + wanted:
                    break
                self.assertLess(time.monotonic(), deadline, got)
                time.sleep(0.05)

    def test_pipelines_change_databases(self):
        client = self.clients[0]
        for number in range(16):
            client.send("SELECT", str(number))
            client.send("SET", "p", str(number))
            client.send("GET", "p")
        for number in range(16):
            self.assertEqual(client.read(), b"OK")
            self.assertEqual(client.read(), b"OK")
            self.assertEqual(client.read(), b"%d" % number)
        client.call("SELECT", "0")

    def scan(self, client, *options):
        cursor, found = b"0", []
        for _ in range(5000):
            cursor, keys = client.call("SCAN", cursor, *options)
            self.assertLess(int(cursor), 1 << 53)
            found.extend(keys)
            if cursor == b"0":
                return found
        raise AssertionError("SCAN does not end")

    def test_flush_empties_all_nodes(self):
        for command in ("FLUSHDB", "FLUSHALL"):
            for number in range(50):
                self.clients[0].call("SET", "flush%d" % number, "v")
            self.assertEqual(self.clients[1].call(command), b"OK")
            for client in self.clients:
                self.assertEqual(client.call("DBSIZE"), 0)

    def test_wrong_kind_of_value(self):
        script = [("SET s{n} v", b"OK"), ("HSET h{n} f v", 1)]
        for command in (
            "HGET s{n} f",
            "HSET s{n} f v",
            "HGETALL s{n}",
            "HINCRBY s{n} f 1",
            "GET h{n}",
            "SET h{n} v GET",
            "INCR h{n}",
            "APPEND h{n} v",
            "STRLEN h{n}",
            "GETEX h{n}",
            "GETDEL h{n}",
        ):
            script.append((command, WRONG_TYPE))
        self.expect(script + [("SET h{n} v", b"OK")])

    def test_wrong_arguments(self):
        script = []
        for command in (
            "GET",
            "SET k",
            "SETEX k 1",
            "DEL",
            "HSET k f",
            "HGET k",
            "EXPIRE k",
            "MGET",
            "MSET k",
            "INCRBY k",
            "TTL",
            "ECHO",
        ):
            name = command.split()[0].lower()
            script.append((command, wrong_count(name)))
        self.expect(
            script
            + [
                ("SET k v NX XX", SYNTAX),
                ("SET k v EX 1 PX 1", SYNTAX),
                ("SET k v NONSENSE", SYNTAX),
                ("SET k v EX word", NOT_INTEGER),
                (
                    "SET k v EX 0",
                    ReplyError("ERR invalid expire time in 'set' command"),
                ),
                (
                    "SETEX k 0 v",
                    ReplyError("ERR invalid expire time in 'setex' command"),
                ),
                ("EXPIRE k word", NOT_INTEGER),
                ("INCRBY k word", NOT_INTEGER),
                ("EXISTS k", 0),
            ]
        )

    def test_unknown_commands_have_the_text_that_drivers_match(self):
        self.expect(
            [
                (
                    "NOSUCH a b",
                    ReplyError(
                        "ERR unknown command 'NOSUCH', with args beginning "
                        "with: 'a' 'b' "
                    ),
                ),
                ("PING", b"PONG"),
            ]
        )

    def test_hello_and_resp3(self):
        for node in self.nodes:
            with node.client() as client:
                hello = client.call("HELLO")
                self.assertEqual(hello[hello.index(b"proto") + 1], 2)
                hello = client.call("HELLO", "3", "SETNAME", "web")
                self.assertIsInstance(hello, dict)
                self.assertEqual(hello[b"proto"], 3)
                for name in (b"server", b"version", b"id", b"mode", b"role"):
                    self.assertIn(name, hello)
                client.call("HSET", "h3", "f", "v")
                self.assertEqual(client.call("HGETALL", "h3"), {b"f": b"v"})
                self.assertIsNone(client.call("GET", "none"))
                self.assertEqual(client.call("CLIENT", "GETNAME"), b"web")
                self.assertIn(b"redis_version:", client.call("INFO"))
                hello = client.call("HELLO", "2")
                self.assertIsInstance(hello, list)
                refused = client.call("HELLO", "4")
                self.assertEqual(
                    str(refused), "NOPROTO unsupported protocol version"
                )

    def test_info_has_the_fields_that_drivers_read(self):
        for node, client in zip(self.nodes, self.clients):
            text = client.call("INFO").decode()
            fields = dict(
                line.split(":", 1) for line in text.split("\r\n") if ":" in line
            )
            self.assertEqual(fields["loading"], "0")
            self.assertEqual(fields["role"], "master")
            self.assertEqual(fields["cluster_enabled"], "0")
            self.assertEqual(fields["tcp_port"], str(node.port))
            for name in (
                "redis_version",
                "redis_mode",
                "run_id",
                "arch_bits",
                "connected_clients",
                "used_memory",
            ):
                self.assertIn(name, fields)
            self.assertIn("# Holdfast", text)
            self.assertIn(b"role:master", client.call("INFO", "replication"))

    def test_inline_commands(self):
        for node in self.nodes:
            with node.client() as client:
                client.send_raw(b"SET inline 'two words'\r\nGET inline\r\n")
                self.assertEqual(client.read(), b"OK")
                self.assertEqual(client.read(), b"two words")
                client.send_raw(b"\r\nPING\n")
                self.assertEqual(client.read(), b"PONG")

    def test_cluster_keyslot(self):
        self.expect(
            [
                ("CLUSTER KEYSLOT foo", 12182),
                ("CLUSTER KEYSLOT {user1000}.following", 3443),
                ("CLUSTER KEYSLOT {user1000}.followers", 3443),
            ]
        )

    def test_pipelined_answers_keep_the_order(self):
        commands, wanted = [], []
        for number in range(1500):
            key = "pipe%d" % (number % 97)
            kind = number % 4
            if kind == 0:
                commands.append(("SET", key, str(number)))
                wanted.append(b"OK")
            elif kind == 1:
                commands.append(("ECHO", str(number)))
                wanted.append(str(number).encode())
            elif kind == 2:
                commands.append(("SET", "pipe", str(number)))
                wanted.append(b"OK")
            else:
                commands.append(("GET", "pipe"))
                wanted.append(str(number - 1).encode())
        for client in self.clients:
            self.assertEqual(client.pipeline(commands), wanted)

    def test_half_a_command_waits_for_the_rest(self):
        with self.nodes[0].client() as client:
            data = encode("SET", "half", "v" * 100)
            for at in range(0, len(data), 7):
                client.send_raw(data[at : at + 7])
            self.assertEqual(client.read(), b"OK")

    def test_keys_and_values_are_any_bytes(self):
        key = bytes(range(256))
        value = bytes(range(255, -1, -1)) * 4
        for client in self.clients:
            self.assertEqual(client.call("SET", key, value), b"OK")
            self.assertEqual(client.call("HSET", key + b"h", key, value), 1)
            for reader in self.clients:
                self.assertEqual(reader.call("GET", key), value)
                self.assertEqual(reader.call("HGET", key + b"h", key), value)
            client.call("DEL", key + b"h")

    def test_a_write_is_read_at_once_from_every_node(self):
        for number in range(300):
            writer = self.clients[number % 3]
            value = b"%d" % number
            self.assertEqual(writer.call("SET", "seen", value), b"OK")
            for reader in self.clients:
                self.assertEqual(reader.call("GET", "seen"), value)

    def test_expired_sessions_are_gone_and_reclaimed(self):
        for number in range(200):
            client = self.clients[number % 3]
            self.assertEqual(
                client.call("SET", "brief%d" % number, "v", "PX", "400"), b"OK"
            )
        until_gone = time.monotonic() + 0.4
        cluster.until(
            lambda: time.monotonic() > until_gone
            and self.clients[0].call("GET", "brief199") is None,
            2,
            "the last one is gone for readers",
        )
        for number in range(200):
            client = self.clients[number % 3]
            self.assertIsNone(client.call("GET", "brief%d" % number))
        for number in range(200, 400):
            self.clients[0].call("SET", "brief%d" % number, "v", "PX", "300")
        cluster.until(
            lambda: self.clients[1].call("DBSIZE") == 0,
            0.3 + 1 + 0.5,
            "unread expired sessions are reclaimed",
        )

    def test_redis_cli(self):
        for node in self.nodes:
            for words, wanted in (
                (["SET", "cli", "value"], "OK\n"),
                (["GET", "cli"], "value\n"),
                (["-3", "HSET", "cli:hash", "f", "v"], None),
                (["-3", "HGETALL", "cli:hash"], "f v\n"),
                (["--scan", "--pattern", "cli"], "cli\n"),
                (["DBSIZE"], "2\n"),
                (["PING"], "PONG\n"),
            ):
                done = subprocess.run(
                    ["redis-cli", "-p", str(node.port)] + words,
                    stdout=subprocess.PIPE,
                    timeout=20,
                    check=True,
                )
                if wanted is not None:
                    self.assertEqual(done.stdout.decode(), wanted)

    def test_many_clients_at_once(self):
        def work(number):
            client = Client(self.nodes[number % 3].port)
            with client:
                for turn in range(50):
                    key = "client%d" % number
                    assert client.call("SET", key, str(turn)) == b"OK"
                    assert client.call("GET", key) == str(turn).encode()

        cluster.in_threads([lambda n=n: work(n) for n in range(30)])
